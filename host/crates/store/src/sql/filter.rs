//! Filters as conditions. A term that does not hold for a row without a value holds when negated.

use sqlx::{Encode, QueryBuilder, Type};
use tessera_core::filter::{Filter, Op, Operand, Term};
use tessera_core::text::folded;
use tessera_core::{Error, Result};

use super::{Db, Ts};

/// Adds all terms; `condition` writes one without its negation.
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

/// The column is one of the texts, or NULL where `none` is asked for.
pub(super) fn text(query: &mut QueryBuilder<Db>, column: &str, term: &Term) {
    one_of(query, column, texts(term), has_none(term));
}

/// The folded column is one of the texts, whatever their case.
pub(super) fn folded_text(query: &mut QueryBuilder<Db>, column: &str, term: &Term) {
    let texts = texts(term).iter().map(|text| folded(text)).collect();
    one_of(query, column, texts, has_none(term));
}

/// The column is one of the ids, or NULL where `none` is asked for.
pub(super) fn id(query: &mut QueryBuilder<Db>, column: &str, term: &Term) {
    one_of(query, column, ids(term), has_none(term));
}

/// The column is the truth that is asked for.
pub(super) fn truth(query: &mut QueryBuilder<Db>, column: &str, term: &Term) {
    let asked = |value: &Operand| if let Operand::Boolean(value) = value { Some(*value) } else { None };
    one_of(query, column, term.values.iter().filter_map(asked).collect(), false);
}

/// The column is one of the moments, or lies before or after one.
pub(super) fn time(query: &mut QueryBuilder<Db>, column: &str, term: &Term) {
    let asked = |value: &Operand| if let Operand::Time(at) = value { Some(Ts(*at)) } else { None };
    let moments: Vec<_> = term.values.iter().filter_map(asked).collect();
    let operator = match term.op {
        Op::OneOf => return one_of(query, column, moments, false),
        Op::Greater => ">",
        Op::GreaterOrEqual => ">=",
        Op::Less => "<",
        Op::LessOrEqual => "<=",
    };
    let Some(at) = moments.into_iter().next() else {
        query.push("FALSE");
        return;
    };
    query.push(format_args!("{column} {operator} "));
    query.push_bind(at);
}

/// Something related holds one of the values, or nothing related is there where `none` is asked for.
/// `related` ends in a condition that ties its rows to the row at hand.
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

/// `column IN (…)`; what is not asked for anything never holds.
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

/// The texts of a term.
pub(super) fn texts(term: &Term) -> Vec<String> {
    let asked = |value: &Operand| if let Operand::Text(text) = value { Some(text.clone()) } else { None };
    term.values.iter().filter_map(asked).collect()
}

/// The ids of a term.
pub(super) fn ids(term: &Term) -> Vec<uuid::Uuid> {
    let asked = |value: &Operand| if let Operand::Id(id) = value { Some(*id) } else { None };
    term.values.iter().filter_map(asked).collect()
}

/// Whether a term asks for nothing.
pub(super) fn has_none(term: &Term) -> bool {
    term.values.contains(&Operand::None)
}

/// The core's list of fields and the columns have come apart.
pub(super) fn unknown(term: &Term) -> Error {
    Error::internal(anyhow::anyhow!("no column for the filter's field {:?}", term.field))
}
