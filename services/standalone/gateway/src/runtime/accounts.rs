//! Users with an account, users shown in development, and guests.

use std::sync::Arc;

use auth_token::{JwtConfig, TrustedIssuer};
use contract_notifications_v1::UserId;
use shared_ports::{Clock as _, PortError, SystemClock};
use tidings_identity::accounts::{self, Account, AccountError, LoginError, Password};
use tidings_identity::jwt::{JwtIssuer, JwtSubject};
use tidings_store::Table;

use crate::server::{Accounts, AddUserError, AuthError, Guest, Login, LoginOffer, NewUser};

/// Prefix of the names of guests.
const GUEST: &str = "guest-";

/// The stored accounts, the logins that need none, and the issuer of the users' tokens.
pub struct UserAccounts {
    pub(super) accounts: accounts::Accounts<Table<SystemClock>>,
    pub(super) offer: LoginOffer,
    pub(super) jwt: Arc<JwtIssuer>,
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

impl Accounts for UserAccounts {
    async fn login(&self, username: &str, password: &str) -> Result<Login, AuthError> {
        if let Some(user) = self.offer.users.iter().find(|user| user.is(username, password)) {
            return self.issue(user.username.clone());
        }
        let refused = || AuthError::Refused(LoginError::Refused.to_string());
        // No account has a password that breaks the rules.
        let password = Password::new(password.to_owned()).map_err(|_| refused())?;
        let account = self.accounts.verify(username, password).await.map_err(|error| match error {
            LoginError::Refused => refused(),
            LoginError::Undecided(source) => AuthError::Unavailable(source.into()),
        })?;
        self.issue(account.user_id)
    }

    fn guest(&self) -> Result<Option<Guest>, AuthError> {
        if !self.offer.guests {
            return Ok(None);
        }
        let name = format!("{GUEST}{}", hex::encode(rand::random::<[u8; 5]>()));
        let user_id = UserId::new(name).map_err(|source| AuthError::Unavailable(source.into()))?;
        Ok(Some(Guest { login: self.issue(user_id.clone())?, user_id }))
    }

    async fn add_user(&self, NewUser { user_id, password }: NewUser) -> Result<Account, AddUserError> {
        self.foreign.check(&user_id).map_err(AddUserError::Foreign)?;
        let password = Password::new(password).map_err(|error| AddUserError::Invalid(error.to_string()))?;
        self.accounts.add(&user_id, password, SystemClock.now()).await.map_err(|error| match error {
            AccountError::UserAlreadyExists { .. } | AccountError::BeingChanged { .. } => {
                AddUserError::Exists
            }
            source => AddUserError::Unavailable(source.into()),
        })
    }

    async fn users(&self) -> Result<Vec<Account>, PortError> {
        self.accounts.list().await.map_err(|source| PortError::retryable("listing the users", source))
    }

    fn jwks(&self) -> String {
        // A key set is made of strings and always serializes.
        serde_json::to_string(&self.jwt.jwks()).unwrap_or_default()
    }
}
