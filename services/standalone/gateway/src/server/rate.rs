//! A limit of events per second.

use std::sync::Mutex;

use shared_sync::IgnorePoison as _;
use tokio::time::Instant;

/// A token bucket that holds the tokens of one second and fills evenly. Without a limit it always has a token.
#[derive(Debug)]
pub(super) struct Rate(Option<(u32, Mutex<(f64, Instant)>)>);

impl Rate {
    /// Makes a full bucket.
    pub(super) fn new(per_second: Option<u32>) -> Self {
        Self(per_second.map(|limit| (limit, Mutex::new((f64::from(limit), Instant::now())))))
    }

    /// Takes a token. Returns false if there is none.
    pub(super) fn take(&self) -> bool {
        let Some((limit, bucket)) = &self.0 else { return true };
        let mut bucket = bucket.lock().ignore_poison();
        let (level, filled_at) = &mut *bucket;
        let now = Instant::now();
        let limit = f64::from(*limit);
        *level = limit.min(*level + now.duration_since(*filled_at).as_secs_f64() * limit);
        *filled_at = now;
        let has_token = *level >= 1.0;
        if has_token {
            *level -= 1.0;
        }
        has_token
    }

    /// Returns the limit per second; 0 if there is none.
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
