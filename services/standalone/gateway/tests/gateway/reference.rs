//! The generated pages of the documentation.

use std::fs;
use std::path::Path;

use tidings_gateway::reference;

#[test]
fn reference_pages_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/reference");
    for (name, page) in [
        ("settings.md", reference::settings()),
        ("metrics.md", reference::metrics()),
        ("error-codes.md", reference::error_codes()),
    ] {
        let path = folder.join(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &page).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == page,
            "docs/reference/{name} is not up to date; run this test with UPDATE_DOCS=1"
        );
    }
}
