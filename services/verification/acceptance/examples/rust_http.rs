//! The producer over HTTP of `docs/how-to/clients.md`, unchanged.
#![allow(clippy::print_stdout, reason = "it prints the results")]

mod documented {
    include!(concat!(env!("OUT_DIR"), "/rust-http.rs"));

    pub(super) fn run() -> Result<(), Box<dyn Error>> {
        main()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In this workspace reqwest is built without a TLS provider.
    _ = rustls::crypto::ring::default_provider().install_default();
    documented::run()
}
