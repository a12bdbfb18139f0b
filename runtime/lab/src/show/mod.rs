//! What the demo shows: the fabric as a picture, the timeline as it happens, the results as a table; or all of it as JSON lines.

mod picture;
mod style;
mod table;
mod timeline;

pub use picture::picture;
pub use style::Style;
pub use table::results;
pub(crate) use timeline::because_word;
pub use timeline::{Line, LineKind, Timeline};
