use std::collections::BTreeMap;

use argon2::Params;
use proptest::prelude::*;

use super::fair_queue::Bounds;
use super::*;
use tidings_budget::Allowance;

/// A table in memory that can be made to fail.
#[derive(Debug, Default, Clone)]
struct MemoryRecords {
    rows: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    down: Arc<std::sync::atomic::AtomicBool>,
}

impl MemoryRecords {
    async fn rows(&self) -> Result<std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>>, PortError> {
        // Lets all concurrent calls reach this point.
        tokio::task::yield_now().await;
        if self.down.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(PortError::retryable("using the table", "down"));
        }
        Ok(self.rows.lock().unwrap())
    }
}

impl Records for MemoryRecords {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        Ok(self.rows().await?.get(key).cloned())
    }

    async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), PortError> {
        self.rows().await?.insert(key.to_owned(), value);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.rows().await?.remove(key);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Vec<u8>>, PortError> {
        Ok(self.rows().await?.values().cloned().collect())
    }
}

const UNLIMITED: LoginLimits = LoginLimits { attempts_per_address: None, failures_per_account: None };
const BOUNDS: Bounds = Bounds { running: 2, operators: 1000, lane: 1000, group: 1000 };

fn accounts() -> (Accounts<MemoryRecords>, MemoryRecords) {
    let records = MemoryRecords::default();
    let weak = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
    (Accounts::with_hasher(records.clone(), UNLIMITED, Hasher::new(weak, BOUNDS)), records)
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned()).unwrap()
}

const NOW: Timestamp = Timestamp::from_millis(1_772_366_400_000);

#[tokio::test]
async fn login_needs_the_right_password() {
    let (accounts, _) = accounts();
    let zoe = Account { user_id: user("zoe"), created_at: NOW };
    assert_eq!(accounts.add(&user("zoe"), password("correct horse"), NOW).await.unwrap(), zoe);
    assert_eq!(
        accounts.verify("zoe", password("correct horse"), None, Moment::default()).await.unwrap(),
        zoe
    );
    for (username, wrong) in [
        ("zoe", "correct horsE"),
        ("zoe", "correct horse "),
        ("Zoe", "correct horse"),
        ("nobody", "correct horse"),
        ("no user id", "correct horse"),
        ("", "correct horse"),
    ] {
        let refused = accounts.verify(username, password(wrong), None, Moment::default()).await.unwrap_err();
        assert!(matches!(refused, LoginError::Refused), "{username}: {refused}");
        assert_eq!(refused.to_string(), "username or password is wrong");
    }
}

#[tokio::test]
async fn existing_user_cannot_be_added_again() {
    let (accounts, _) = accounts();
    accounts.add(&user("zoe"), password("correct horse"), NOW).await.unwrap();
    let again = accounts.add(&user("zoe"), password("another one"), NOW).await.unwrap_err();
    assert!(matches!(again, AccountError::UserAlreadyExists { .. }));
    assert_eq!(again.to_string(), "the user zoe exists already");
    accounts.verify("zoe", password("correct horse"), None, Moment::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_adds_of_a_user_succeed_once() {
    let (accounts, _) = accounts();
    let adds: Vec<_> = (0..50)
        .map(|n| {
            let accounts = accounts.clone();
            tokio::spawn(async move {
                accounts.add(&user("zoe"), password(&format!("password {n}")), NOW).await.map(|_| n)
            })
        })
        .collect();
    let mut added = Vec::new();
    for add in adds {
        match add.await.unwrap() {
            Ok(n) => added.push(n),
            Err(AccountError::UserAlreadyExists { .. } | AccountError::BeingChanged { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(added.len(), 1);
    accounts
        .verify("zoe", password(&format!("password {}", added[0])), None, Moment::default())
        .await
        .unwrap();
    assert!(accounts.inner.changing.lock().unwrap().is_empty());
}

#[tokio::test]
async fn accounts_are_listed_changed_and_removed() {
    let (accounts, _) = accounts();
    for name in ["zoe", "ada"] {
        accounts.add(&user(name), password("correct horse"), NOW).await.unwrap();
    }
    let names: Vec<_> = accounts.list().await.unwrap().into_iter().map(|account| account.user_id).collect();
    assert_eq!(names, [user("ada"), user("zoe")]);

    let changed = accounts.set_password(&user("zoe"), password("battery staple")).await.unwrap();
    assert_eq!(changed.created_at, NOW);
    assert!(accounts.verify("zoe", password("correct horse"), None, Moment::default()).await.is_err());
    assert!(accounts.verify("zoe", password("battery staple"), None, Moment::default()).await.is_ok());

    accounts.remove(&user("zoe")).await.unwrap();
    assert!(matches!(
        accounts.verify("zoe", password("battery staple"), None, Moment::default()).await,
        Err(LoginError::Refused)
    ));
    assert!(matches!(accounts.remove(&user("zoe")).await, Err(AccountError::NoSuchUser { .. })));
    let unknown = accounts.set_password(&user("zoe"), password("battery staple")).await;
    assert!(matches!(unknown, Err(AccountError::NoSuchUser { .. })));
    assert_eq!(accounts.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn failing_or_corrupt_table_is_no_refusal() {
    let (accounts, records) = accounts();
    records.rows.lock().unwrap().insert("zoe".to_owned(), b"rubbish".to_vec());
    let error = accounts.verify("zoe", password("correct horse"), None, Moment::default()).await.unwrap_err();
    assert!(matches!(error, LoginError::Undecided(AccountError::Corrupt(_))));
    assert!(matches!(accounts.list().await, Err(AccountError::Corrupt(_))));

    records.down.store(true, std::sync::atomic::Ordering::SeqCst);
    let error = accounts.verify("ada", password("correct horse"), None, Moment::default()).await.unwrap_err();
    assert!(matches!(error, LoginError::Undecided(AccountError::Records(_))));
    let error = accounts.add(&user("ada"), password("correct horse"), NOW).await.unwrap_err();
    assert!(matches!(error, AccountError::Records(_)));
    assert!(accounts.inner.changing.lock().unwrap().is_empty());
}

#[tokio::test]
async fn table_and_debug_show_no_password() {
    let (accounts, records) = accounts();
    let secret = password("correct horse");
    assert_eq!(format!("{secret:?}"), "Password(…)");
    accounts.add(&user("zoe"), secret, NOW).await.unwrap();
    let stored = String::from_utf8(records.rows.lock().unwrap()["zoe"].clone()).unwrap();
    assert!(stored.contains("$argon2id$") && !stored.contains("correct horse"), "{stored}");
    assert!(!format!("{accounts:?}").contains("argon2id"));
}

#[test]
fn passwords_have_8_to_1024_bytes() {
    let of = |length| Password::new("x".repeat(length));
    assert!(of(7).is_err() && of(8).is_ok() && of(1024).is_ok() && of(1025).is_err());
    assert_eq!(of(7).unwrap_err().to_string(), "a password must have 8 to 1024 bytes");
    let refused = serde_json::from_str::<Password>("\"secret\"").unwrap_err();
    assert!(!refused.to_string().contains("secret"));
    assert_eq!(*serde_json::from_str::<Password>("\"12345678\"").unwrap().0, "12345678");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn every_valid_name_and_password_logs_in(name in "[!-~]{3,128}", text in ".{8,100}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (accounts, _) = accounts();
            accounts.add(&user(&name), password(&text), NOW).await.unwrap();
            accounts.verify(&name, password(&text), None, Moment::default()).await.unwrap();
            assert!(accounts.verify(&name, password(&format!("{text}x")), None, Moment::default()).await.is_err());
        });
    }
}

#[tokio::test]
async fn accounts_survive_a_restart_of_the_store() {
    use tidings_store::{StorageSettings, Store};
    let data = tempfile::tempdir().unwrap();
    let open = || Store::open(data.path(), StorageSettings::default(), shared_ports::SystemClock).unwrap();
    let store = open();
    let accounts = Accounts::new(store.table("users"), UNLIMITED);
    accounts.add(&user("zoe"), password("correct horse"), NOW).await.unwrap();
    accounts.add(&user("ada"), password("battery staple"), NOW).await.unwrap();
    accounts.remove(&user("ada")).await.unwrap();
    store.close();
    drop((accounts, store));

    let accounts = Accounts::new(open().table("users"), UNLIMITED);
    accounts.verify("zoe", password("correct horse"), None, Moment::default()).await.unwrap();
    let zoe = Account { user_id: user("zoe"), created_at: NOW };
    assert_eq!(accounts.list().await.unwrap(), [zoe]);
}

#[tokio::test]
async fn guesses_are_refused_before_they_are_hashed() {
    let records = MemoryRecords::default();
    let weak = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
    let per_hour = |most| Allowance::new(most, Duration::from_hours(1)).ok();
    let limits = LoginLimits { attempts_per_address: per_hour(50), failures_per_account: per_hour(3) };
    let accounts = Accounts::with_hasher(records, limits, Hasher::new(weak, BOUNDS));
    accounts.add(&user("zoe"), password("correct horse"), NOW).await.unwrap();
    let (owner, attacker) = (Some("10.0.0.1".parse().unwrap()), Some("10.0.0.2".parse().unwrap()));
    let login =
        async |from, text: &str| accounts.verify("zoe", password(text), from, Moment::default()).await;
    login(owner, "correct horse").await.unwrap();
    for _ in 0..3 {
        assert!(matches!(login(attacker, "wrong horse").await, Err(LoginError::Refused)));
    }
    for text in ["wrong horse", "correct horse"] {
        let Err(LoginError::Throttled { wait }) = login(attacker, text).await else {
            panic!("it is let through")
        };
        assert_eq!(wait, Duration::from_mins(20));
    }
    for _ in 0..20 {
        login(owner, "correct horse").await.unwrap();
    }
}
