//! Users with an account, users shown in development, and guests.

use std::net::IpAddr;
use std::sync::Arc;

use auth_token::{JwtConfig, TrustedIssuer};
use contract_notifications_v1::UserId;
use shared_ports::{Clock as _, PortError, SystemClock};
use tidings_identity::accounts::{self, Account, AccountError, LoginError, Password};
use tidings_identity::jwt::{JwtIssuer, JwtSubject};
use tidings_identity::revocations::Revocations;
use tidings_store::Table;

use crate::server::{
    Accounts, AddUserError, AuthError, ChangeUserError, GUEST_PREFIX, Guest, Login, LoginOffer, NewUser,
};

/// The stored accounts, the logins that need none, and the issuer of the users' tokens.
pub struct UserAccounts {
    pub(super) accounts: accounts::Accounts<Table<SystemClock>>,
    pub(super) offer: LoginOffer,
    pub(super) jwt: Arc<JwtIssuer>,
    pub(super) revocations: Revocations<Table<SystemClock>>,
    pub(super) foreign: ForeignUserIds,
}

/// The user ids of the issuers of other parties. No account may have one of them.
pub(super) struct ForeignUserIds {
    /// The `iss` of an issuer that may name any user.
    pub(super) issuer_without_prefix: Option<String>,
    /// The prefixes of the others.
    prefixes: Vec<String>,
}

impl ForeignUserIds {
    /// Returns the user ids of the configured issuers.
    pub(super) fn of(jwt: &JwtConfig) -> Self {
        let name =
            |issuer: &TrustedIssuer| issuer.rules.issuer.as_deref().unwrap_or("without `issuer`").to_owned();
        let prefixes = jwt.issuers.iter().map(|issuer| issuer.rules.user_prefix.clone());
        let prefixes = prefixes.filter(|prefix| !prefix.is_empty() && !jwt.shared_user_ids).collect();
        Self { issuer_without_prefix: jwt.issuer_without_prefix().map(name), prefixes }
    }

    /// Returns the reason, as a text for the caller, if a user may have no account.
    fn check(&self, user_id: &UserId) -> Result<(), String> {
        if let Some(issuer) = &self.issuer_without_prefix {
            return Err(format!(
                "the issuer {issuer} of handshake.jwt_issuers could name this user too; give it a user_prefix, or set \
                 handshake.shared_user_ids = true if it has the same users"
            ));
        }
        match self.prefixes.iter().find(|prefix| user_id.as_written().starts_with(prefix.as_str())) {
            Some(prefix) => Err(format!(
                "names that begin with {prefix:?} are those of an issuer in handshake.jwt_issuers"
            )),
            None => Ok(()),
        }
    }
}

impl UserAccounts {
    /// Issues the token of a user who was authenticated.
    fn issue(&self, user_id: UserId) -> Result<Login, AuthError> {
        let subject = JwtSubject { username: user_id.as_written().into_owned(), user_id };
        let issued = self
            .jwt
            .issue(subject, SystemClock.now())
            .map_err(|source| AuthError::Unavailable(source.into()))?;
        Ok(Login { id_token: issued.token, expires_at: issued.expires_at })
    }
}

/// Checks a password that was chosen for a user. It takes milliseconds, so another thread does it.
async fn chosen(password: String, user_id: &UserId) -> Result<Password, AddUserError> {
    let username = user_id.as_written().into_owned();
    let checked = tokio::task::spawn_blocking(move || Password::chosen(password, &username)).await;
    let checked = checked.map_err(|source| AddUserError::Unavailable(source.into()))?;
    checked.map_err(|error| AddUserError::Invalid(error.to_string()))
}

fn not_changed(error: AccountError) -> ChangeUserError {
    match error {
        AccountError::NoSuchUser { .. } => ChangeUserError::NoSuchUser,
        source => ChangeUserError::Unavailable(source.into()),
    }
}

impl Accounts for UserAccounts {
    async fn login(&self, username: &str, password: &str, from: Option<IpAddr>) -> Result<Login, AuthError> {
        if let Some(user) = self.offer.users.iter().find(|user| user.is(username, password)) {
            return self.issue(user.username.clone());
        }
        let refused = || AuthError::Refused(LoginError::Refused.to_string());
        // No account has a password that breaks the rules.
        let password = Password::new(password.to_owned()).map_err(|_| refused())?;
        let verified = self.accounts.verify(username, password, from, SystemClock.moment()).await;
        let account = verified.map_err(|error| match error {
            LoginError::Refused => refused(),
            LoginError::Throttled { wait } => {
                let limits = "login.attempts_per_address and login.failures_per_account";
                AuthError::TooMany { detail: format!("{error} ({limits})"), wait }
            }
            LoginError::Undecided(AccountError::Busy { wait }) => {
                AuthError::TooMany { detail: error.to_string(), wait }
            }
            LoginError::Undecided(source) => AuthError::Unavailable(source.into()),
        })?;
        let blocked_until = self.revocations.find(&account.user_id, None).blocked_until;
        if blocked_until.is_some_and(|until| SystemClock.now() < until) {
            return Err(AuthError::Refused("the user is blocked".to_owned()));
        }
        self.issue(account.user_id)
    }

    fn guest(&self) -> Result<Option<Guest>, AuthError> {
        if !self.offer.guests {
            return Ok(None);
        }
        let name = format!("{GUEST_PREFIX}{}", hex::encode(rand::random::<[u8; 16]>()));
        let user_id = UserId::new(name).map_err(|source| AuthError::Unavailable(source.into()))?;
        Ok(Some(Guest { login: self.issue(user_id.clone())?, user_id }))
    }

    async fn add_user(&self, NewUser { user_id, password }: NewUser) -> Result<Account, AddUserError> {
        if user_id.as_str().starts_with(GUEST_PREFIX) {
            let detail = format!("names that begin with {GUEST_PREFIX:?} are for guests; choose another");
            return Err(AddUserError::Invalid(detail));
        }
        self.foreign.check(&user_id).map_err(AddUserError::Foreign)?;
        let password = chosen(password, &user_id).await?;
        self.accounts.add(&user_id, password, SystemClock.now()).await.map_err(|error| match error {
            AccountError::UserAlreadyExists { .. } | AccountError::BeingChanged { .. } => {
                AddUserError::Exists
            }
            source => AddUserError::Unavailable(source.into()),
        })
    }

    async fn set_password(&self, user: &UserId, password: String) -> Result<(), ChangeUserError> {
        let password = chosen(password, user).await.map_err(|error| match error {
            AddUserError::Invalid(detail) => ChangeUserError::Invalid(detail),
            other => ChangeUserError::Unavailable(other.into()),
        })?;
        self.accounts.set_password(user, password).await.map(drop).map_err(not_changed)
    }

    async fn remove(&self, user: &UserId) -> Result<(), ChangeUserError> {
        self.accounts.remove(user).await.map_err(not_changed)
    }

    async fn users(&self) -> Result<Vec<Account>, PortError> {
        self.accounts.list().await.map_err(|source| PortError::retryable("listing the users", source))
    }

    fn jwks(&self) -> String {
        // A key set is made of strings and always serializes.
        serde_json::to_string(&self.jwt.jwks()).unwrap_or_default()
    }
}
