//! The fields of an event or span of `tracing`, as text.

use crate::text::{push_json, push_printable};
use std::fmt::{Debug, Write as _};
use tracing::field::{Field, Visit};

/// Longest value that is kept, in bytes.
pub(crate) const MAX_VALUE: usize = 4096;

/// What was recorded, one value a name.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) values: Vec<(&'static str, Value)>,
}

/// A value.
#[derive(Debug)]
pub(crate) enum Value {
    Text(String),
    Number(f64),
    Integer(i128),
    Flag(bool),
}

impl Fields {
    pub(crate) fn of_event(event: &tracing::Event<'_>) -> Self {
        let mut fields = Self::default();
        event.record(&mut fields);
        fields
    }

    pub(crate) fn of_span(attributes: &tracing::span::Attributes<'_>) -> Self {
        let mut fields = Self::default();
        attributes.record(&mut fields);
        fields
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|value| value.0 == name).and_then(|(_, value)| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "a counter's value, for a graph")]
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|value| value.0 == name).and_then(|(_, value)| match value {
            Value::Number(number) => Some(*number),
            Value::Integer(number) => Some(*number as f64),
            _ => None,
        })
    }

    /// `message name=value ...`, on one line and printable.
    pub(crate) fn line(&self) -> String {
        let mut out = String::new();
        if let Some(message) = self.text("message") {
            push_printable(&mut out, message, MAX_VALUE);
        }
        for (name, value) in self.values.iter().filter(|value| value.0 != "message") {
            if !out.is_empty() {
                out.push(' ');
            }
            let _ = write!(out, "{name}=");
            match value {
                Value::Text(text) => push_printable(&mut out, text, MAX_VALUE),
                Value::Number(number) => drop(write!(out, "{number}")),
                Value::Integer(number) => drop(write!(out, "{number}")),
                Value::Flag(flag) => drop(write!(out, "{flag}")),
            }
        }
        out
    }

    /// `"name":value,...` as the inside of an object of JSON.
    pub(crate) fn json(&self) -> String {
        let mut out = String::new();
        for (name, value) in &self.values {
            if !out.is_empty() {
                out.push(',');
            }
            push_json(&mut out, name);
            out.push(':');
            match value {
                Value::Text(text) => {
                    push_json(&mut out, &text[..text.floor_char_boundary(MAX_VALUE)])
                }
                // JSON knows no infinity.
                Value::Number(number) if !number.is_finite() => {
                    push_json(&mut out, &number.to_string());
                }
                Value::Number(number) => drop(write!(out, "{number}")),
                Value::Integer(number) => drop(write!(out, "{number}")),
                Value::Flag(flag) => drop(write!(out, "{flag}")),
            }
        }
        out
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.values.push((field.name(), Value::Text(format!("{value:?}"))));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.values.push((field.name(), Value::Text(value.to_owned())));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.values.push((field.name(), Value::Number(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.values.push((field.name(), Value::Integer(value.into())));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.values.push((field.name(), Value::Integer(value.into())));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.values.push((field.name(), Value::Flag(value)));
    }
}
