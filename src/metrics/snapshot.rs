//! What a scrape gets: plain data that may cross threads.

use super::catalog::Metric;
use super::cells::{Build, NodeCells, PlaneCells, ShardCells, StoreCells};
use super::counter::{Count, Gauge, Ratio, Seconds};
use super::histogram::{Histogram, HistogramSnapshot};
use super::latency::Latency;
use crate::base::ids::ShardId;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Label names and values, in the metric's order.
pub type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// One number, or one histogram.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    pub metric: &'static Metric,
    pub labels: Labels,
    pub value: Value,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Count(u64),
    Number(f64),
    Histogram(Box<HistogramSnapshot>),
}

/// Everything one core has counted.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ShardSnapshot {
    pub shard: ShardId,
    pub samples: Vec<Sample>,
}

/// A cell, or cells, that a scrape reads.
pub trait Collect {
    fn collect(&self, metric: &'static Metric, labels: &Labels, samples: &mut Vec<Sample>);

    /// True while nothing was ever counted here.
    fn is_untouched(&self) -> bool;

    /// The cells in it that time something in full, as far as they have.
    fn latencies<'a>(
        &'a self,
        _metric: &'static Metric,
        _labels: &Labels,
        _found: &mut Vec<(&'static Metric, Labels, &'a Latency)>,
    ) {
    }
}

impl ShardSnapshot {
    pub fn take(
        shard: ShardId,
        plane: &PlaneCells,
        store: &StoreCells,
        own: &ShardCells,
    ) -> ShardSnapshot {
        let labels: Labels = vec![("shard", shard.to_string().into())];
        let mut samples = Vec::new();
        plane.collect(&labels, &mut samples);
        store.collect(&labels, &mut samples);
        own.collect(&labels, &mut samples);
        ShardSnapshot { shard, samples }
    }
}

/// Samples grouped by metric, in the order of `catalog`: what an encoder walks.
pub fn families<'a>(
    catalog: &[&'static Metric],
    samples: impl Iterator<Item = &'a Sample>,
) -> Vec<(&'static Metric, Vec<&'a Sample>)> {
    let mut families: Vec<_> = catalog.iter().map(|&metric| (metric, Vec::new())).collect();
    let places: BTreeMap<&str, usize> =
        (catalog.iter().map(|metric| metric.name).zip(0..)).collect();
    for sample in samples {
        let place = places.get(sample.metric.name);
        let place = *place.expect("every sample is of its catalogue");
        families[place].1.push(sample);
    }
    families.retain(|(_, samples)| !samples.is_empty());
    families
}

impl NodeCells {
    pub fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        self.collect(&Labels::new(), &mut samples);
        samples
    }
}

fn push(metric: &'static Metric, labels: &Labels, samples: &mut Vec<Sample>, value: Value) {
    let labels = labels.clone();
    samples.push(Sample {
        metric,
        labels,
        value,
    });
}

impl Collect for Count {
    fn collect(&self, metric: &'static Metric, labels: &Labels, samples: &mut Vec<Sample>) {
        push(metric, labels, samples, Value::Count(self.get()));
    }

    fn is_untouched(&self) -> bool {
        self.get() == 0
    }
}

impl Collect for Gauge {
    fn collect(&self, metric: &'static Metric, labels: &Labels, samples: &mut Vec<Sample>) {
        push(metric, labels, samples, Value::Number(self.get() as f64));
    }

    fn is_untouched(&self) -> bool {
        self.get() == 0
    }
}

impl Collect for Ratio {
    fn collect(&self, metric: &'static Metric, labels: &Labels, samples: &mut Vec<Sample>) {
        push(metric, labels, samples, Value::Number(self.get()));
    }

    fn is_untouched(&self) -> bool {
        self.get() == 0.0
    }
}

impl Collect for Seconds {
    fn collect(&self, metric: &'static Metric, labels: &Labels, samples: &mut Vec<Sample>) {
        let seconds = self.get().as_secs_f64();
        push(metric, labels, samples, Value::Number(seconds));
    }

    fn is_untouched(&self) -> bool {
        self.get().is_zero()
    }
}

impl Collect for Histogram {
    fn collect(&self, metric: &'static Metric, labels: &Labels, samples: &mut Vec<Sample>) {
        push(
            metric,
            labels,
            samples,
            Value::Histogram(Box::new(self.snapshot())),
        );
    }

    fn is_untouched(&self) -> bool {
        self.snapshot().count() == 0
    }
}

/// Counted in more than one place of the core.
impl<T: Collect> Collect for Rc<T> {
    fn collect(&self, metric: &'static Metric, labels: &Labels, samples: &mut Vec<Sample>) {
        T::collect(self, metric, labels, samples);
    }

    fn is_untouched(&self) -> bool {
        T::is_untouched(self)
    }
}

impl Collect for Build {
    fn collect(&self, metric: &'static Metric, labels: &Labels, samples: &mut Vec<Sample>) {
        let mut labels = labels.clone();
        labels.push(("version", self.version.into()));
        labels.push(("commit", self.commit.into()));
        push(metric, &labels, samples, Value::Number(1.0));
    }

    fn is_untouched(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::catalog::{CATALOG, GROUPS_LAG, GROUPS_LAG_MAX, SHARD_UP};
    use crate::metrics::label::{Api, ErrorClass};
    use std::time::Duration;

    fn scrape(plane: &PlaneCells) -> ShardSnapshot {
        ShardSnapshot::take(
            ShardId(3),
            plane,
            &StoreCells::default(),
            &ShardCells::default(),
        )
    }

    #[test]
    fn every_metric_has_a_source_and_carries_its_labels() {
        let mut samples = scrape(&PlaneCells::default()).samples;
        samples.extend(NodeCells::default().samples());
        let families = families(CATALOG, samples.iter());
        let names: Vec<_> = families.iter().map(|(metric, _)| metric.name).collect();
        // Whether a shard answers is known to whoever asks it, and lag to nobody alone.
        let asked = [&SHARD_UP, &GROUPS_LAG, &GROUPS_LAG_MAX];
        let known = CATALOG.iter().filter(|metric| !asked.contains(metric));
        let known = known.map(|metric| metric.name);
        assert_eq!(names, known.collect::<Vec<_>>());
        for (metric, samples) in families {
            for sample in samples {
                let labels: Vec<_> = sample.labels.iter().map(|(name, _)| *name).collect();
                assert_eq!(labels, metric.labels, "{}", metric.name);
            }
        }
    }

    #[test]
    fn an_error_shows_once_it_has_happened() {
        let plane = PlaneCells::default();
        let errors = |plane: &PlaneCells| -> Vec<String> {
            let is_produce =
                |s: &&Sample| s.metric.name == "ottla_requests_total" && s.labels[1].1 == "produce";
            let snapshot = scrape(plane);
            let produce = snapshot.samples.iter().filter(is_produce);
            produce
                .map(|s| format!("{} {:?}", s.labels[2].1, s.value))
                .collect()
        };
        assert_eq!(errors(&plane), ["none Count(0)"]);
        plane.requests.at(Api::Produce).at(ErrorClass::None).add(2);
        plane
            .requests
            .at(Api::Produce)
            .at(ErrorClass::Timeout)
            .increment();
        assert_eq!(errors(&plane), ["none Count(2)", "timeout Count(1)"]);
    }

    #[test]
    fn a_snapshot_may_leave_its_core() {
        fn is_send<T: Send + 'static>(value: T) -> T {
            value
        }
        let plane = PlaneCells::default();
        let seconds = plane
            .request_seconds
            .at(Api::Fetch)
            .at(crate::metrics::Stage::Total);
        seconds.record(Duration::from_millis(3));
        let snapshot = is_send(scrape(&plane));
        let counted = |sample: &Sample| match &sample.value {
            Value::Histogram(histogram) => histogram.count(),
            _ => 0,
        };
        assert_eq!(snapshot.samples.iter().map(counted).sum::<u64>(), 1);
        assert_eq!(snapshot.samples[0].labels[0], ("shard", "3".into()));
    }
}
