//! Filters as SQL conditions. For a row without a value a term is false, and its negation true.

use sqlx::{Encode, QueryBuilder, Type};
use tessera_core::filter::{Filter, Op, Operand, Term};
use tessera_core::text::folded;
use tessera_core::{Error, Result};

use super::{Db, Ts};

/// Adds all terms; `condition` writes one term without its negation.
pub(super) fn push(
    query: &mut QueryBuilder<Db>,
    filter: &Filter,
    condition: fn(&mut QueryBuilder<Db>, &Term) -> Result<()>,
) -> Result<()> {
    for term in &filter.terms {
        query.push(if term.negated { " AND NOT COALESCE((" } else { " AND (" });
        condition(query, term)?;
        query.push(if term.negated { "), FALSE)" } else { ")" });
    }
    Ok(())
}

/// Matches a column against texts, or NULL for `none`.
pub(super) fn text(query: &mut QueryBuilder<Db>, column: &str, term: &Term) {
    one_of(query, column, texts(term), has_none(term));
}

/// Matches a folded column against texts, ignoring case.
pub(super) fn folded_text(query: &mut QueryBuilder<Db>, column: &str, term: &Term) {
    let texts = texts(term).iter().map(|text| folded(text)).collect();
    one_of(query, column, texts, has_none(term));
}

/// Matches a column against ids, or NULL for `none`.
pub(super) fn id(query: &mut QueryBuilder<Db>, column: &str, term: &Term) {
    one_of(query, column, ids(term), has_none(term));
}

/// Matches a boolean column.
pub(super) fn truth(query: &mut QueryBuilder<Db>, column: &str, term: &Term) {
    let boolean = |value: &Operand| if let Operand::Boolean(value) = value { Some(*value) } else { None };
    one_of(query, column, term.values.iter().filter_map(boolean).collect(), false);
}

/// Matches a column against times, or compares it with one.
pub(super) fn time(query: &mut QueryBuilder<Db>, column: &str, term: &Term) {
    let time = |value: &Operand| if let Operand::Time(at) = value { Some(Ts(*at)) } else { None };
    let times: Vec<_> = term.values.iter().filter_map(time).collect();
    let operator = match term.op {
        Op::OneOf => return one_of(query, column, times, false),
        Op::Greater => ">",
        Op::GreaterOrEqual => ">=",
        Op::Less => "<",
        Op::LessOrEqual => "<=",
    };
    let Some(at) = times.into_iter().next() else {
        query.push("FALSE");
        return;
    };
    query.push(format_args!("{column} {operator} "));
    query.push_bind(at);
}

/// Matches related rows against values, or their absence for `none`. `related` ends with the condition that joins them to
/// the outer row.
pub(super) fn related<T>(
    query: &mut QueryBuilder<Db>,
    related: &str,
    column: &str,
    (values, none): (Vec<T>, bool),
) where
    T: for<'q> Encode<'q, Db> + Type<Db>,
{
    if none {
        query.push(format_args!("NOT EXISTS ({related}) OR "));
    }
    query.push(format_args!("EXISTS ({related} AND "));
    one_of(query, column, values, false);
    query.push(")");
}

/// Writes `column IN (…)`; without values the condition is false.
pub(super) fn one_of<T>(query: &mut QueryBuilder<Db>, column: &str, values: Vec<T>, none: bool)
where
    T: for<'q> Encode<'q, Db> + Type<Db>,
{
    if none {
        query.push(format_args!("{column} IS NULL OR "));
    }
    if values.is_empty() {
        query.push("FALSE");
        return;
    }
    query.push(format_args!("{column} IN ("));
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    query.push(")");
}

/// Returns the texts of a term.
pub(super) fn texts(term: &Term) -> Vec<String> {
    let text = |value: &Operand| if let Operand::Text(text) = value { Some(text.clone()) } else { None };
    term.values.iter().filter_map(text).collect()
}

/// Returns the ids of a term.
pub(super) fn ids(term: &Term) -> Vec<uuid::Uuid> {
    let id = |value: &Operand| if let Operand::Id(id) = value { Some(*id) } else { None };
    term.values.iter().filter_map(id).collect()
}

/// Returns whether a term has the value `none`.
pub(super) fn has_none(term: &Term) -> bool {
    term.values.contains(&Operand::None)
}

/// Error for a field of core's list without a column here.
pub(super) fn unknown(term: &Term) -> Error {
    Error::internal(anyhow::anyhow!("no column for the filter's field {:?}", term.field))
}
