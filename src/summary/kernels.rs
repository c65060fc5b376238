//! The loops that a pass over rows repeats for every column, with the widest vectors the processor has. Products are not fused with
//! sums and sums have a fixed order, so the bits are the same whatever the width.

/// Writes `out = (raw − center)·inverse` and adds `slope·out` to `eta`.
pub(crate) fn standardize_into(
    raw: &[f64],
    (center, inverse): (f64, f64),
    slope: f64,
    out: &mut [f64],
    eta: &mut [f64],
) {
    pulp::Arch::new().dispatch(Standardize {
        raw,
        center,
        inverse,
        slope,
        out,
        eta,
    });
}

/// The inner product with a fixed order of sixteen partial sums.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let sums = pulp::Arch::new().dispatch(Dot { a, b });
    let (_, last_a) = a.as_chunks::<LANES>();
    let (_, last_b) = b.as_chunks::<LANES>();
    let last: f64 = last_a.iter().zip(last_b).map(|(a, b)| a * b).sum();
    let mut width = LANES / 2;
    let mut sums = sums;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0] + last
}

/// Multiplies `values` by `factor`, one by one.
pub(crate) fn scale(values: &mut [f64], factor: &[f64]) {
    pulp::Arch::new().dispatch(Scale { values, factor });
}

/// Partial sums of an inner product: four vectors of four hide the time an addition takes.
const LANES: usize = 16;

struct Standardize<'a> {
    raw: &'a [f64],
    center: f64,
    inverse: f64,
    slope: f64,
    out: &'a mut [f64],
    eta: &'a mut [f64],
}

impl pulp::NullaryFnOnce for Standardize<'_> {
    type Output = ();

    #[expect(
        clippy::inline_always,
        reason = "each width of vectors needs a copy of its own"
    )]
    #[inline(always)]
    fn call(self) {
        let rows = self.out.iter_mut().zip(self.raw).zip(self.eta);
        for ((out, raw), eta) in rows {
            let x = (raw - self.center) * self.inverse;
            *out = x;
            *eta += self.slope * x;
        }
    }
}

struct Dot<'a> {
    a: &'a [f64],
    b: &'a [f64],
}

impl pulp::NullaryFnOnce for Dot<'_> {
    type Output = [f64; LANES];

    #[expect(
        clippy::inline_always,
        reason = "each width of vectors needs a copy of its own"
    )]
    #[inline(always)]
    fn call(self) -> [f64; LANES] {
        let mut sums = [0.0; LANES];
        let (a, _) = self.a.as_chunks::<LANES>();
        let (b, _) = self.b.as_chunks::<LANES>();
        for (a, b) in a.iter().zip(b) {
            for lane in 0..LANES {
                sums[lane] += a[lane] * b[lane];
            }
        }
        sums
    }
}

struct Scale<'a> {
    values: &'a mut [f64],
    factor: &'a [f64],
}

impl pulp::NullaryFnOnce for Scale<'_> {
    type Output = ();

    #[expect(
        clippy::inline_always,
        reason = "each width of vectors needs a copy of its own"
    )]
    #[inline(always)]
    fn call(self) {
        for (value, factor) in self.values.iter_mut().zip(self.factor) {
            *value *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_the_plain_loops() {
        for len in [0, 1, 7, 16, 17, 40, 250] {
            let a: Vec<f64> = (0..len).map(|i| f64::from(i) * 0.25 - 3.0).collect();
            let b: Vec<f64> = (0..len).map(|i| f64::from(i % 5) - 1.5).collect();
            let want: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            assert!((dot(&a, &b) - want).abs() <= 1e-12 * want.abs().max(1.0));
            let (mut out, mut eta) = (vec![0.0; a.len()], b.clone());
            standardize_into(&a, (0.5, 2.0), -1.25, &mut out, &mut eta);
            let mut scaled = a.clone();
            scale(&mut scaled, &b);
            for i in 0..a.len() {
                assert_eq!(out[i], (a[i] - 0.5) * 2.0);
                assert_eq!(eta[i], b[i] - 1.25 * out[i]);
                assert_eq!(scaled[i], a[i] * b[i]);
            }
        }
    }
}
