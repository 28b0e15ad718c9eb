//! Two things measured in turns, and what to say about them.
//!
//! Load on the machine changes from second to second; neighbours in time share it. So a
//! ratio is taken within each pair, and the median over the pairs counts.

use std::time::Duration;

/// Seconds that ours and the floor took, pair by pair.
pub(crate) struct Pairs {
    ours: Vec<f64>,
    floor: Vec<f64>,
}

/// Which side of a target is good.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    /// Prints a figure beside the target; says whether it is met.
    pub(crate) fn judge(self, what: &str, figure: f64) -> bool {
        let (met, words, bound) = match self {
            Self::AtMost(bound) => (figure <= bound, "at most", bound),
            Self::AtLeast(bound) => (figure >= bound, "at least", bound),
        };
        let verdict = if met { "met" } else { "MISSED" };
        println!("  {what} {figure:.2}; target {words} {bound:.2}: {verdict}");
        met
    }
}

impl Pairs {
    /// Runs both `count` times in turns, after one turn that does not count.
    pub(crate) fn measure(
        count: usize,
        mut ours: impl FnMut() -> Duration,
        mut floor: impl FnMut() -> Duration,
    ) -> Self {
        ours();
        floor();
        let mut pairs = Self { ours: Vec::new(), floor: Vec::new() };
        for _ in 0..count {
            pairs.ours.push(ours().as_secs_f64());
            pairs.floor.push(floor().as_secs_f64());
        }
        pairs
    }

    /// Median of ours divided by the floor's, within each pair.
    pub(crate) fn ratio(&self) -> f64 {
        quantile(&self.ratios(), 0.5)
    }

    /// Median of the floor's seconds.
    pub(crate) fn floor(&self) -> f64 {
        quantile(&self.floor, 0.5)
    }

    fn ratios(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.floor).map(|(ours, floor)| ours / floor).collect()
    }

    /// One line: both medians, for one of `units` in each run, and the ratio with its middle
    /// half.
    pub(crate) fn print(&self, name: &str, units: f64) {
        let ratios = self.ratios();
        println!(
            "  {name:<12} ours {:>9}  floor {:>9}  ratio {:.2} ({:.2} to {:.2}, {} pairs)",
            microseconds(quantile(&self.ours, 0.5) / units),
            microseconds(quantile(&self.floor, 0.5) / units),
            quantile(&ratios, 0.5),
            quantile(&ratios, 0.25),
            quantile(&ratios, 0.75),
            ratios.len(),
        );
    }
}

fn microseconds(seconds: f64) -> String {
    format!("{:.1} us", seconds * 1e6)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small index")]
fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

/// Geometric mean.
pub(crate) fn geometric_mean(values: &[f64]) -> f64 {
    (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp()
}
