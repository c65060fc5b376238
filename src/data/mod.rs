//! Data in: frames and their columns, CSV, formulas, design matrices, bundled data sets.

pub mod calendar;
pub mod column;
pub mod csv;
pub mod datasets;
pub mod describe;
pub mod design;
pub mod formula;
pub mod frame;
mod groups;
pub mod levels;
mod longer;
mod number_groups;
pub mod records;
pub mod rows;
pub mod select;
pub mod time;

pub use column::{Column, Groups, Label, MISSING, Real, Time};
pub use csv::{CsvBatches, CsvOptions};
pub use describe::{ColumnDescription, Description, LevelCount, NumberSummary};
pub use design::{Design, DesignColumn};
pub(crate) use design::{Elsewhere, elsewhere, regressor_variables};
pub use formula::{Formula, FormulaBuilder, ParsedFormula};
pub use frame::Frame;
pub use levels::Levels;
pub use rows::Rows;
