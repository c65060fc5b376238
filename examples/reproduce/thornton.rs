//! What it takes to learn one's HIV status: vouchers drawn by lot in rural Malawi.

use crate::experiment::{Experiment, Findings, Published};
use crate::plots::{Bins, binned};
use cocreate::prelude::*;

pub const THORNTON: Experiment = Experiment {
    name: "thornton",
    title: "Incentives to learn one's HIV status",
    authors: "Thornton (2008)",
    paper: "Thornton (2008), American Economic Review 98(5)",
    table: "Shares in the text; effect without controls as in Cunningham, Causal Inference: The Mixtape; Table 4, column 1, and the text on vouchers",
    data: "thornton",
    estimator: "Least squares; the effect with errors clustered by village",
    formulas: &[
        ("uptake", "got ~ any"),
        ("dose", "got ~ any + tinc"),
        ("doses", "got ~ C(dose)"),
        ("status", "got ~ any + hiv2004 + age + I(age^2)"),
        ("distance", "got ~ any*far"),
    ],
    study: "In 2004 people in rural Malawi were tested for HIV at home. Each then drew a voucher, worth nothing to \
            about three dollars, to be redeemed by coming to a centre for the result. Few came without a reward; \
            even a small one came near to doubling their share.",
    identification: "The worth of the voucher was drawn at random, so that those with and without a reward would \
                     have come alike without one: the difference of shares is the average effect.",
    run,
};

/// The text prints two decimals.
const fn share(quantity: &'static str, value: f64) -> Published {
    Published::read(quantity, value, 2, 0.005)
}

const WITHOUT: Published = share("share who came, no reward", 0.34);
const WITH: Published = share("share who came, any reward", 0.79);
const EFFECT: Published = share("effect of any reward", 0.45);
const PEOPLE: Published = Published::read("people of Table 4", 2812.0, 0, 0.0);
const NOTHING: Published = share("share who drew nothing", 0.22);
const DOLLARS: Published = share("mean worth of the voucher, dollars", 1.01);
/// Column 1 of Table 4, which controls for sex and district as well.
const POSITIVE: Published = Published::read("HIV positive, effect on coming", -0.055, 3, 0.005);

fn run(this: &Experiment, data: &Frame) -> Result<Findings> {
    let everyone = Ols::new(this.formula("uptake")).fit(data)?;
    let in_village: Vec<bool> = data.real("villnum")?.iter().map(|v| !v.is_nan()).collect();
    let clustered = Ols::new(this.formula("uptake"))
        .covariance(Covariance::cluster("villnum"))
        .fit(&data.filter(&in_village)?)?;
    // Those who refused the test drew no voucher.
    let drew: Vec<bool> = (data.real("tinc")?.iter().zip(&in_village))
        .map(|(dollars, village)| !dollars.is_nan() && *village)
        .collect();
    let with_dose = doses(&data.filter(&drew)?)?;
    let by_village = |label| {
        Ols::new(this.formula(label))
            .covariance(Covariance::cluster("villnum"))
            .fit(&with_dose)
    };
    let (dose, doses) = (by_village("dose")?, by_village("doses")?);
    let effects: Vec<&str> = (doses.names().iter())
        .filter_map(|name| name.starts_with("C(dose)").then_some(name.as_str()))
        .collect();
    let against_nothing = MaxT::new().seed(2008).run(&doses, &effects, 0.95)?;
    let table_4 = complete(data)?;
    let status = Ols::new(this.formula("status"))
        .covariance(Covariance::cluster("villnum"))
        .fit(&table_4)?;
    let mean = |column: &str| -> Result<f64> {
        let values = table_4.real(column)?;
        Ok(values.iter().sum::<f64>() / values.len() as f64)
    };
    let by_distance = distance(this, &table_4)?;
    Ok(Findings::new()
        .compare(WITHOUT, everyone.coefficient("(Intercept)")?.estimate)
        .compare(WITH, everyone.linear("(Intercept) + any")?.estimate)
        .compare(EFFECT, clustered.coefficient("any")?.estimate)
        .compare(PEOPLE, table_4.rows() as f64)
        .compare(NOTHING, 1.0 - mean("any")?)
        .compare(DOLLARS, mean("tinc")?)
        .compare(POSITIVE, status.coefficient("hiv2004")?.estimate)
        .model(&everyone)
        .model(&clustered)
        .model(&dose)
        .shown(against_nothing.table())
        .model(&status)
        .model(&by_distance.interaction)
        .shown(by_distance.curve.table())
        .figure("thornton-distance", by_distance.curve.uplift_plot()?)
        .figure("thornton-uptake", uptake(data)?)
        .remark(
            "The village of four of the 2,834 people is not recorded; the clustered regression does without them.",
        )
        .remark(
            "Dose response: beyond having any reward, each further dollar brings more people (second regression), and all three \
             classes of rewards differ from none, jointly at 95 % (largest t over the clustered covariance).",
        )
        .remark(
            "Column 1 of the paper's Table 4 prints 0.431 (0.023) with controls for sex, HIV status and district \
             on 2,812 people. Sex and district are not in this file, so that cell is not compared; the effect of being HIV \
             positive hardly depends on them, and is.",
        )
        .remark(
            "Who responds: rewards work as well for those who live far from the centre as for those near it. Neither the interaction \
             with more than 1.5 kilometres nor the area under the targeting curve of distance tells the effects apart.",
        ))
}

/// The people of Table 4: all that is asked of them is known, and the test said positive or negative.
fn complete(data: &Frame) -> Result<Frame> {
    let mut known = vec![true; data.rows()];
    for column in ["got", "tinc", "distvct", "hiv2004", "villnum", "age"] {
        for (known, value) in known.iter_mut().zip(data.real(column)?) {
            *known &= !value.is_nan();
        }
    }
    for (known, status) in known.iter_mut().zip(data.real("hiv2004")?) {
        *known &= *status >= 0.0;
    }
    data.filter(&known)
}

/// Whether rewards work better near the centre or far from it.
struct ByDistance {
    interaction: OlsFit,
    curve: UpliftCurveFit,
}

fn distance(this: &Experiment, data: &Frame) -> Result<ByDistance> {
    /// Kilometres; the paper's border.
    const FAR: f64 = 1.5;
    let kilometres = data.real("distvct")?.to_vec();
    let far: Vec<f64> = (kilometres.iter())
        .map(|k| f64::from(u8::from(*k > FAR)))
        .collect();
    let data = data.clone().with("far", far)?;
    let interaction = Ols::new(this.formula("distance"))
        .covariance(Covariance::cluster("villnum"))
        .fit(&data)?;
    let scores = TrialScores::new("got", "any")
        .clusters("villnum")
        .fit(&data)?;
    let curve = UpliftCurve::new()
        .at(&[0.25, 0.5, 0.75, 1.0])
        .fit(&scores, &kilometres)?;
    Ok(ByDistance { interaction, curve })
}

/// Adds the worth of the voucher in four classes.
fn doses(data: &Frame) -> Result<Frame> {
    /// Upper ends of the classes in dollars.
    const CLASSES: [(f64, &str); 4] = [
        (0.0, "0 nothing"),
        (1.0, "1 up to 1 dollar"),
        (2.0, "2 up to 2 dollars"),
        (f64::INFINITY, "3 more"),
    ];
    let class = |dollars: &f64| {
        let found = CLASSES.iter().find(|(end, _)| dollars <= end);
        found.map_or("", |(_, class)| *class)
    };
    let classes: Vec<&str> = data.real("tinc")?.iter().map(class).collect();
    data.clone().with("dose", classes)
}

/// The share who came by what the voucher was worth.
fn uptake(data: &Frame) -> Result<Figure> {
    /// Edges of the bins in dollars; the first holds those who drew nothing.
    const BREAKS: [f64; 8] = [0.0, 0.2, 0.5, 0.95, 1.35, 1.75, 1.9, 2.4];
    let with_reward: Vec<bool> = data.real("tinc")?.iter().map(|t| *t > 0.0).collect();
    let line = Ols::new("got ~ tinc").fit(&data.filter(&with_reward)?)?;
    let Bins { x, y, low, high } = binned(data.real("tinc")?, data.real("got")?, &BREAKS)?;
    let ends = [x[1], x[x.len() - 1]];
    let height = |dollars: f64| {
        line.linear(&format!("(Intercept) + {dollars}*tinc"))
            .map(|e| e.estimate)
    };
    BinnedScatter::new()
        .title("Who came for the result, by the worth of the voucher")
        .x_title("Dollars")
        .y_title("Share who came")
        .points(x, y)
        .intervals(low, high)
        .line(ends, [height(ends[0])?, height(ends[1])?])
        .note("Dots are means with 95 % intervals; the line is least squares among those who drew a reward.")
        .draw()
}
