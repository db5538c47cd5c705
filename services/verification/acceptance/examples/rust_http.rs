//! The producer over HTTP of `docs/how-to/clients.md`, word for word.
#![allow(clippy::print_stdout, reason = "it says what became of what it sent")]

mod documented {
    include!(concat!(env!("OUT_DIR"), "/rust-http.rs"));

    pub(super) fn run() -> Result<(), Box<dyn Error>> {
        main()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Here reqwest is built without a TLS provider of its own.
    _ = rustls::crypto::ring::default_provider().install_default();
    documented::run()
}
