//! A limit of so many a second.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// A bucket that holds one second's worth and fills evenly.
#[derive(Debug)]
pub(super) struct Rate(Option<(u32, Mutex<(f64, Instant)>)>);

impl Rate {
    pub(super) fn new(per_second: Option<u32>) -> Self {
        Self(per_second.map(|limit| (limit, Mutex::new((f64::from(limit), Instant::now())))))
    }

    /// Takes one, if there is one.
    pub(super) fn take(&self) -> bool {
        let Some((limit, bucket)) = &self.0 else { return true };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let (level, filled_at) = &mut *bucket;
        let now = Instant::now();
        let limit = f64::from(*limit);
        *level = limit.min(*level + now.duration_since(*filled_at).as_secs_f64() * limit);
        *filled_at = now;
        let some = *level >= 1.0;
        if some {
            *level -= 1.0;
        }
        some
    }

    /// How many a second; 0 when there is no limit.
    pub(super) fn limit(&self) -> u32 {
        self.0.as_ref().map_or(0, |(limit, _)| *limit)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_has_its_share_and_no_more() {
        let rate = Rate::new(Some(500));
        assert_eq!((0..600).filter(|_| rate.take()).count(), 500);
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!((0..600).filter(|_| rate.take()).count(), 50);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!((0..600).filter(|_| rate.take()).count(), 500);
        assert!((0..600).all(|_| Rate::new(None).take()));
    }
}
