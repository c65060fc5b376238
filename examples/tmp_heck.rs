//! x
#![allow(clippy::print_stdout)]
use cocreate::prelude::*;
fn main() -> Result<()> {
let frame = datasets::load("mroz")?;
let model = Heckman::new("lwage ~ educ + exper + expersq","inlf ~ nwifeinc + educ + exper + expersq + age + kidslt6 + kidsge6").covariance(Covariance::Classical);
let fit = model.fit(&frame)?;
println!("{fit}");
println!("{}", fit.with_covariance(Covariance::Hc0)?);
let t = model.clone().two_step().fit(&frame)?;
println!("{t}");
println!("{}", t.with_covariance(Covariance::Hc0)?);
let m = Heckman::new("log(wage) ~ educ + exper + I(exper^2)","inlf ~ educ + exper + I(exper^2)").fit(&frame);
match m { Ok(m)=>println!("{m}"), Err(e)=>println!("{e}") }
Ok(())
}
