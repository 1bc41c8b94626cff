//! Page arguments of list requests.

use tessera_core::access::Operation;
use tessera_core::filter::Spec;

use crate::state::{PLAIN, PageArgs, plain_query};
use crate::tokens::PageQuery;

/// The fields of a list request.
pub(crate) struct Listing<'a> {
    pub(crate) size: i32,
    pub(crate) token: &'a str,
    pub(crate) filter: &'a str,
    pub(crate) order_by: &'a str,
}

impl<'a> Listing<'a> {
    /// Returns the page arguments of a list with filter and order.
    pub(crate) fn of(self, spec: &'static Spec, max: u32, operation: Operation) -> PageArgs<'a> {
        self.within(spec, max, operation, &[])
    }

    /// Returns the page arguments of a list that has a parent or other arguments.
    pub(crate) fn within(
        self,
        spec: &'static Spec,
        max: u32,
        operation: Operation,
        scope: &'a [&'a str],
    ) -> PageArgs<'a> {
        let query = PageQuery { operation, filter: self.filter, order_by: self.order_by, scope };
        PageArgs { spec, max, size: self.size.into(), token: self.token, query }
    }
}

/// Returns the page arguments of a list without filter and order.
pub(crate) fn plain_page<'a>(
    (size, token): (i32, &'a str),
    max: u32,
    operation: Operation,
    scope: &'a [&'a str],
) -> PageArgs<'a> {
    PageArgs { spec: &PLAIN, max, size: size.into(), token, query: plain_query(operation, scope) }
}

/// Reads the fields of a list request; filter and order can be given separately.
macro_rules! listing {
    ($request:ident) => {
        listing!($request, &$request.filter, &$request.order_by)
    };
    ($request:ident, $filter:expr, $order_by:expr) => {
        $crate::operations::paging::Listing {
            size: $request.page_size,
            token: &$request.page_token,
            filter: $filter,
            order_by: $order_by,
        }
    };
}
pub(crate) use listing;
