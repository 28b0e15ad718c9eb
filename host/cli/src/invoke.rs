//! `--invoke`: call one export with values from the command line.

use anyhow::{Context as _, Result, anyhow, bail};
use std::io::Write as _;
use wrt_platform::text::Line;
use wrt_vm::vm::{Instance, ValueType};
use wrt_vm::{MicroVm, Value};

/// Calls `export` and prints its results, one a line.
pub(super) fn call(
    vm: &mut MicroVm,
    instance: Instance,
    export: &str,
    args: &[String],
) -> Result<()> {
    let function = match vm.function(instance, export) {
        Err(wrt_vm::Error::NoSuchExport(reason)) => {
            bail!("{reason}\n  its functions: {}", vm.function_names(instance)?)
        }
        other => other?,
    };
    let params = &function.ty().params;
    if params.len() != args.len() {
        let types: Vec<&str> = params.iter().map(|ty| ty.name()).collect();
        bail!(
            "`{}` takes {} values ({}), and {} were given",
            Line(export),
            params.len(),
            types.join(", "),
            args.len()
        );
    }
    let values = params
        .iter()
        .zip(args)
        .map(|(&ty, text)| parse(ty, text).with_context(|| format!("`{}` is no {ty}", Line(text))))
        .collect::<Result<Vec<_>>>()?;
    // A reactor sets itself up in this export; a module has it or not.
    if export != "_initialize"
        && let Ok(initialize) = vm.function(instance, "_initialize")
    {
        vm.call(&initialize, &[])?;
    }
    let results = vm.call(&function, &values)?;
    let mut out = std::io::stdout().lock();
    for result in results {
        writeln!(out, "{}", show(result)).context("cannot print the results")?;
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "`integer` has checked the range")]
fn parse(ty: ValueType, text: &str) -> Result<Value> {
    Ok(match ty {
        ValueType::I32 => {
            Value::I32(integer(text, i64::from(i32::MIN), u64::from(u32::MAX))? as i32)
        }
        ValueType::I64 => Value::I64(integer(text, i64::MIN, u64::MAX)? as i64),
        ValueType::F32 => Value::F32(text.parse::<f32>()?.to_bits()),
        ValueType::F64 => Value::F64(text.parse::<f64>()?.to_bits()),
        ValueType::V128 => {
            let digits =
                text.strip_prefix("0x").context("a vector is written 0x... (hexadecimal)")?;
            Value::V128(u128::from_str_radix(digits, 16)?)
        }
        ValueType::FuncRef if text == "null" => Value::FuncRef(None),
        ValueType::ExternRef if text == "null" => Value::ExternRef(None),
        ValueType::FuncRef | ValueType::ExternRef => {
            return Err(anyhow!("a reference from the command line can only be `null`"));
        }
    })
}

/// An integer, signed or unsigned, decimal or hexadecimal.
fn integer(text: &str, min: i64, max: u64) -> Result<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    // Unsigned, so that a second sign is refused.
    let magnitude = i128::from(match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16)?,
        None => digits.parse::<u64>()?,
    });
    let value = if negative { -magnitude } else { magnitude };
    if value < i128::from(min) || value > i128::from(max) {
        bail!("out of range");
    }
    Ok(value)
}

fn show(value: Value) -> String {
    match value {
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::F32(bits) => f32::from_bits(bits).to_string(),
        Value::F64(bits) => f64::from_bits(bits).to_string(),
        Value::V128(bits) => format!("{bits:#034x}"),
        Value::FuncRef(None) | Value::ExternRef(None) => "null".to_owned(),
        Value::FuncRef(Some(_)) => "a function".to_owned(),
        Value::ExternRef(Some(number)) => format!("object {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_may_be_signed_unsigned_or_hexadecimal() {
        for (text, value) in [("-1", -1), ("4294967295", -1), ("0xffffffff", -1), ("7", 7)] {
            assert_eq!(parse(ValueType::I32, text).unwrap(), Value::I32(value), "{text}");
        }
        for text in ["4294967296", "-2147483649", "", "x", "1.5", "--1"] {
            assert!(parse(ValueType::I32, text).is_err(), "{text}");
        }
        assert_eq!(parse(ValueType::I64, "0xffffffffffffffff").unwrap(), Value::I64(-1));
    }

    #[test]
    fn floats_keep_their_bits() {
        assert_eq!(parse(ValueType::F32, "-0").unwrap(), Value::F32(0x8000_0000));
        assert_eq!(show(parse(ValueType::F64, "0.1").unwrap()), "0.1");
        assert_eq!(show(Value::F32(f32::NAN.to_bits())), "NaN");
    }
}
