//! Data in: frames and their columns, CSV, formulas, design matrices, bundled data sets.

pub mod column;
pub mod design;
pub mod formula;
pub mod frame;
pub mod rows;

pub use column::{Column, Groups, Label, Real, Time};
pub use design::{Design, DesignColumn};
pub use formula::{Formula, FormulaBuilder, ParsedFormula};
pub use frame::Frame;
pub use rows::Rows;
