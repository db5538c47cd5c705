//! Argon2id hashes as PHC strings, computed in memory that is used again.
//!
//! A hash fills 19 MiB. An allocator keeps such memory for a while, in each thread that has hashed, so hashes on many
//! threads would take a multiple of it.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version, password_hash};

/// The blocks that a hash fills. Each hash overwrites what an earlier one has left.
pub(super) type Memory = Vec<Block>;

/// Returns a hash of `password` with a new salt.
pub(super) fn hash(password: &[u8], params: &Params, memory: &mut Memory) -> password_hash::Result<String> {
    let (algorithm, version, salt) = (Algorithm::Argon2id, Version::V0x13, Salt::generate());
    let argon2 = Argon2::new(algorithm, version, params.clone());
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(params)?,
        salt: Some(salt),
        hash: Some(output(&argon2, password, &salt, memory)?),
    };
    Ok(hash.to_string())
}

/// Returns true if `password` has this hash, which contains its parameters. They may be older than the current ones.
pub(super) fn verify(password: &[u8], hash: &str, memory: &mut Memory) -> password_hash::Result<bool> {
    let hash = PasswordHash::new(hash)?;
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else {
        return Err(password_hash::Error::EncodingInvalid);
    };
    let algorithm = Algorithm::try_from(hash.algorithm.as_str())?;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from)?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash)?);
    // `Output` compares in constant time.
    Ok(output(&argon2, password, &salt, memory)? == expected)
}

fn output(
    argon2: &Argon2<'_>,
    password: &[u8],
    salt: &[u8],
    memory: &mut Memory,
) -> password_hash::Result<Output> {
    let params = argon2.params();
    memory.resize(params.block_count(), Block::default());
    let mut buffer = [0; Output::MAX_LENGTH];
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let out = buffer.get_mut(..length).ok_or(password_hash::Error::OutputSize)?;
    argon2.hash_password_into_with_memory(password, salt, out, memory)?;
    Ok(Output::new(out)?)
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    /// The library's own functions are the reference.
    #[test]
    fn hashes_agree_with_the_library() {
        let mut memory = Memory::new();
        for (kib, lanes) in [(64, 1), (8, 1), (32, 2)] {
            let params = Params::new(kib, 2, lanes, None).unwrap();
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
            let ours = hash(b"correct horse", &params, &mut memory).unwrap();
            argon2.verify_password(b"correct horse", &*ours).unwrap();
            let theirs = argon2.hash_password(b"correct horse").unwrap().to_string();
            assert!(verify(b"correct horse", &theirs, &mut memory).unwrap());
            assert!(!verify(b"wrong horse", &theirs, &mut memory).unwrap());
        }
    }
}
