//! What holds for every figure: texts inside the canvas and apart from each other, an opaque ground, escaped labels.

use super::*;
use crate::report::tests::{unescape, well_formed};
use crate::report::width::pixels;
use proptest::prelude::*;

const NAMES: [&str; 5] = [
    "Zürich – Preis",
    "価格",
    "θ\u{302} · β",
    "a & b < c > \"d\" 'e'",
    "a very long name of a coefficient that says far too much about how it was made and with what",
];

/// One figure of every kind, with texts that are long, wide or need escaping.
fn gallery(text: &str, scale: f64) -> Vec<Figure> {
    let x: Vec<f64> = (0..40).map(|i| scale * f64::from(i)).collect();
    let y: Vec<f64> = x.iter().map(|v| scale * (v / scale / 5.0).sin()).collect();
    let low: Vec<f64> = y.iter().map(|v| v - scale).collect();
    let high: Vec<f64> = y.iter().map(|v| v + scale).collect();
    let mut coefficients = CoefficientPlot::new();
    let mut bars = BarPlot::new();
    let mut events = EventStudyPlot::new().reference(-1.0);
    let mut lines = LinePlot::new().reference_x(scale).reference_y(0.0);
    let mut groups = Ecdf::new();
    let mut bins = BinnedScatter::new();
    for (i, series) in [text, "OLS", "IV"].into_iter().chain(NAMES).enumerate() {
        let shift = scale * i as f64;
        coefficients = coefficients.series(series);
        bars = bars.series(series);
        events = events.series(series);
        for (j, name) in [text].into_iter().chain(NAMES).enumerate() {
            let value = shift - scale * j as f64;
            let end = if j == 2 { f64::INFINITY } else { value + scale };
            coefficients = coefficients.point(name, value, value - scale, end);
            bars = bars.bar(name, value);
            events = events.point(j as f64 - 3.0, value, value - scale, end);
            if i == 1 {
                events = events.band(value - 2.0 * scale, value + 2.0 * scale);
            }
        }
        let shifted: Vec<f64> = y.iter().map(|v| v + shift).collect();
        lines = lines.line(series, &x, &shifted);
        groups = groups.group(series, &shifted);
        bins = bins.group(series).points(&x, &shifted);
    }
    lines = lines.band(&low, &high);
    bins = bins.intervals(&low, &high).line(&x, &y);
    macro_rules! drawn {
        ($($builder:expr),*) => {
            vec![$(
                $builder.clone().title(text).x_title(text).y_title(text).note(text).draw().unwrap(),
                $builder.title(text).x_title(text).y_title(text).note(text).size(300, 200).draw().unwrap(),
            )*]
        };
    }
    drawn![
        coefficients,
        bars,
        events,
        lines,
        groups,
        bins,
        Histogram::new(&y)
    ]
}

/// A text of the SVG with its box in pixels.
struct Text {
    content: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

fn attribute<'a>(tag: &'a str, name: &str) -> &'a str {
    let (_, rest) = tag.split_once(&format!(" {name}=\"")).unwrap_or(("", ""));
    rest.split('"').next().unwrap_or("")
}

/// All texts, their widths by the estimate that the layout uses.
fn texts(svg: &str) -> Vec<Text> {
    svg.split("<text")
        .skip(1)
        .map(|part| {
            let (tag, rest) = part.split_once('>').unwrap();
            let content = unescape(rest.split("</text>").next().unwrap().trim());
            let number = |name: &str| attribute(tag, name).parse::<f64>().unwrap() / 10.0;
            let (x, y, size) = (number("x"), number("y"), number("font-size"));
            assert!(size > 11.99, "{content:?} is set in {size} px");
            let width = pixels(&content, size);
            let before = match attribute(tag, "text-anchor") {
                "start" => 0.0,
                "middle" => width / 2.0,
                _ => width,
            };
            let (from, to) = (-before, width - before);
            if attribute(tag, "transform").starts_with("rotate(270") {
                Text {
                    content,
                    left: x - size / 2.0,
                    right: x + size / 2.0,
                    top: y - to,
                    bottom: y - from,
                }
            } else {
                Text {
                    content,
                    left: x + from,
                    right: x + to,
                    top: y - size / 2.0,
                    bottom: y + size / 2.0,
                }
            }
        })
        .collect()
}

fn check(figure: &Figure) -> Result<(), String> {
    let svg = figure.to_svg();
    well_formed(svg)?;
    let (width, height) = (f64::from(figure.width()), f64::from(figure.height()));
    let ground = format!(
        "<rect x=\"0\" y=\"0\" width=\"{}\" height=\"{}\" opacity=\"1\" fill=\"#FFFFFF\"",
        width * 10.0,
        height * 10.0
    );
    let first = svg.find('>').unwrap();
    if !svg[first + 1..].trim_start().starts_with(&ground) {
        return Err("no opaque ground".to_owned());
    }
    if svg.contains("NaN") || svg.contains("inf,") || svg.contains("2147483647") {
        return Err("a coordinate is no number".to_owned());
    }
    let texts = texts(svg);
    for t in &texts {
        if t.left < 0.0 || t.top < 0.0 || t.right > width || t.bottom > height {
            return Err(format!("{:?} leaves the canvas of {figure}", t.content));
        }
    }
    for (i, a) in texts.iter().enumerate() {
        for b in &texts[i + 1..] {
            let apart =
                a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
            if !apart {
                return Err(format!(
                    "{:?} overlaps {:?} in {figure}",
                    a.content, b.content
                ));
            }
        }
    }
    Ok(())
}

#[test]
fn texts_stay_inside_and_apart() {
    for text in NAMES {
        for figure in gallery(text, 1.0) {
            check(&figure).unwrap();
        }
    }
}

#[test]
fn sizes_of_numbers_do_not_matter() {
    for scale in [1e-300, 1e-9, 1e-3, 17.3, 1e5, 1e12, 1e200] {
        for figure in gallery("Preis", scale) {
            check(&figure).unwrap();
        }
    }
}

#[test]
fn labels_are_escaped_and_kept() {
    let figure = CoefficientPlot::new()
        .title("A & B <C>")
        .point("x < y", 1.0, 0.0, 2.0)
        .draw()
        .unwrap();
    let svg = figure.to_svg();
    assert!(svg.contains("x &lt; y") && svg.contains("A &amp; B &lt;C&gt;"));
    assert!(!svg.contains("x < y"));
    assert_eq!(
        figure.to_string(),
        "Coefficient plot \"A & B <C>\" (720 × 225 px SVG)"
    );
    assert_eq!(format!("{figure:?}").matches("svg").count(), 0);
}

#[test]
fn unbounded_intervals_end_in_arrows() {
    let arrows = |low: f64, high: f64| {
        let figure = CoefficientPlot::new()
            .point("x", 1.0, low, high)
            .draw()
            .unwrap();
        figure.to_svg().matches("<polygon").count()
    };
    assert_eq!(arrows(0.0, 2.0), 0);
    assert_eq!(arrows(0.0, f64::INFINITY), 1);
    assert_eq!(arrows(f64::NEG_INFINITY, f64::INFINITY), 2);
    assert_eq!(arrows(f64::NAN, f64::INFINITY), 0);
}

#[test]
fn nothing_to_draw_is_an_error() {
    let nan = f64::NAN;
    assert!(CoefficientPlot::new().draw().is_err());
    assert!(
        CoefficientPlot::new()
            .point("x", nan, 0.0, 1.0)
            .draw()
            .is_err()
    );
    assert!(EventStudyPlot::new().draw().is_err());
    assert!(
        EventStudyPlot::new()
            .point(nan, 1.0, 0.0, 1.0)
            .draw()
            .is_err()
    );
    assert!(BinnedScatter::new().draw().is_err());
    assert!(
        BinnedScatter::new()
            .points([1.0, nan], [nan, 1.0])
            .draw()
            .is_err()
    );
    assert!(
        BinnedScatter::new()
            .points([1.0], [1.0, 2.0])
            .draw()
            .is_err()
    );
    assert!(
        BinnedScatter::new()
            .points([1.0], [1.0])
            .intervals([0.0; 2], [1.0; 2])
            .draw()
            .is_err()
    );
    assert!(BarPlot::new().bar("a", f64::INFINITY).draw().is_err());
    assert!(BarPlot::new().bar("a", 1.0).size(10, 10).draw().is_err());
    let message = BarPlot::new().draw().unwrap_err().to_string();
    assert_eq!(
        message,
        "option `bars` is empty or entirely missing; it must be given with at least one finite value"
    );
}

#[test]
fn bars_carry_their_intervals() {
    let plot = |low| BarPlot::new().bar("a", 1.0).interval(low, 9.0).draw();
    let figure = plot(-8.0).unwrap();
    // The axis reaches to the interval, and the bar under it is pale.
    assert!(figure.to_svg().contains("\n−8\n"));
    assert!(figure.to_svg().contains("opacity=\"0.45\""));
    let plain = BarPlot::new().bar("a", 1.0).draw().unwrap();
    assert!(!plain.to_svg().contains("opacity=\"0.45\""));
    assert!(plot(f64::NAN).is_ok() && plot(f64::NEG_INFINITY).is_ok());
}

#[test]
fn figures_are_written() {
    let path = std::env::temp_dir().join(format!("cocreate-figure-{}.svg", std::process::id()));
    let figure = BarPlot::new().bar("a", 1.0).draw().unwrap();
    let written = figure.write(&path).unwrap();
    assert!(written.is_absolute());
    assert_eq!(std::fs::read_to_string(&written).unwrap(), figure.to_svg());
    std::fs::remove_file(written).unwrap();
    assert!(figure.write("figure.png").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_text_is_safe(text in any::<String>()) {
        for figure in gallery(&text, 1.0) {
            check(&figure).map_err(TestCaseError::fail)?;
        }
    }
}
