//! Everything a program or notebook needs: `use cocreate::prelude::*;`.

pub use crate::data::{
    Column, Design, DesignColumn, Formula, FormulaBuilder, Frame, Groups, Label, Real, Rows, Time,
};
pub use crate::error::{Error, Result, Warning};
pub use crate::numeric::{Progress, Seed};
