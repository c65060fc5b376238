//! California's Proposition 99: what a tax of 25 cents a pack did to smoking.

use crate::experiment::{Experiment, Findings, Published};
use cocreate::prelude::*;

pub const PROPOSITION_99: Experiment = Experiment {
    name: "proposition_99",
    title: "A tobacco tax and smoking",
    authors: "Abadie, Diamond & Hainmueller (2010); Arkhangelsky et al. (2021)",
    paper: "Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review 111(12), on the data of Abadie, Diamond & Hainmueller (2010), JASA 105(490)",
    table: "Table 1, effect on packs a head and year",
    data: "california_prop99",
    estimator: "Difference in differences, synthetic control and synthetic difference in differences; placebo errors of 200 draws",
    formulas: &[],
    study: "From 1989 on California taxed a pack of cigarettes by 25 cents more and spent the money on campaigns against smoking. \
            38 states without such a programme are the donors, with cigarette sales a head from 1970 to 2000.",
    identification: "Sales follow two-way effects and a few common factors, and no other state was touched by the tax. Difference in \
                     differences asks that California would have moved as the mean of the others; synthetic control, as a weighted \
                     mean that moved like California before; the synthetic difference in differences, that one of donors and \
                     years before is weighted so that what is left is noise.",
    run,
};

const DID: Published = Published::read("difference in differences", -27.3, 1, 0.05);
const CONTROL: Published = Published::read("synthetic control", -19.6, 1, 0.1);
const SYNTHETIC_DID: Published =
    Published::read("synthetic difference in differences", -15.6, 1, 0.05);

fn run(_: &Experiment, data: &Frame) -> Result<Findings> {
    let long = data.longer(&["Year"], "state", "packs")?;
    let (year, state) = (long.real("Year")?.to_vec(), long.label("state")?.clone());
    let taxed: Vec<bool> = (0..long.rows())
        .map(|row| state.get(row) == Some("California") && year[row] >= 1989.0)
        .collect();
    let panel = long.with("taxed", taxed)?;
    let columns = ("packs", "taxed", "state", "Year");
    let of = |make: fn(&str, &str, &str, &str) -> SyntheticDid| {
        make(columns.0, columns.1, columns.2, columns.3)
            .seed(99)
            .fit(&panel)
    };
    let plain = of(SyntheticDid::difference_in_differences)?;
    let control = of(SyntheticDid::synthetic_control)?;
    let weighted = of(SyntheticDid::new)?;
    let alone = SyntheticControl::new(columns.0, columns.1, columns.2, columns.3);
    let paths = alone.fit(&panel)?;
    let placebo = paths.placebo_in_space()?.swap_remove(0);
    let augmented = alone.augmented().fit(&panel)?;
    Ok(Findings::new()
        .compare(DID, plain.effect())
        .compare(CONTROL, control.effect())
        .compare(SYNTHETIC_DID, weighted.effect())
        .shown(plain.table())
        .shown(control.table())
        .shown(weighted.table())
        .shown(paths.table())
        .shown(paths.weights_table())
        .figure("proposition-99-control", paths.path_plot("California")?)
        .figure("proposition-99-placebos", paths.placebo_plot("California", 4.5)?)
        .figure("proposition-99-did", weighted.path_plot("1989")?)
        .remark(
            "Weights are exact here. The search of the package synthdid stops earlier, which gives -19.62 and -15.604 in place of our -19.51 and -15.605.",
        )
        .remark(format!(
            "In space, {:.0} of 39 states have a ratio of gaps after to gaps before the tax at least as large as California's (p = {:.3}). Ridge augmentation gives {:.1}.",
            39.0 * placebo.p_value,
            placebo.p_value,
            augmented.effect()
        )))
}
