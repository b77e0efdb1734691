use super::Requirement;

/// A requirement that is a type, so that a signature says what must have been checked.
///
/// The types of `permissions!` and `roles!` (in `countersign-rbac`) are such; [`All`] and [`Any`] combine them; what an
/// application requires otherwise, it names itself:
///
/// ```
/// use countersign::authorize::{Requirement, Requires, action};
///
/// /// What the policies on posts allow.
/// struct EditPost;
///
/// impl Requires for EditPost {
///     fn requirement() -> Requirement {
///         action("posts:edit")
///     }
/// }
/// ```
///
/// Names are known to the guard's authorizer alone. [`guard.declare::<EditPost>()?`](crate::Guard::declare), said when the
/// service starts, finds those that it does not know; a request that comes upon one is answered with 500.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no requirement",
    note = "declare it with `permissions!` or `roles!`, combine two to eight with `All<(…)>` or `Any<(…)>`, or implement `Requires`"
)]
pub trait Requires: 'static {
    /// What is required.
    fn requirement() -> Requirement;
}

/// Each of two to eight requirements: `All<(A, B)>`. All of none does not compile.
///
/// ```
/// use countersign::authorize::{All, Requirement, Requires, role};
///
/// struct Editor;
/// impl Requires for Editor {
///     fn requirement() -> Requirement { role("editor") }
/// }
///
/// struct OnCall;
/// impl Requires for OnCall {
///     fn requirement() -> Requirement { role("on_call") }
/// }
///
/// assert_eq!(<All<(Editor, OnCall)>>::requirement(), role("editor").and(role("on_call")));
/// ```
///
/// ```compile_fail,E0277
/// use countersign::authorize::{All, Requires};
///
/// let nothing = <All<()>>::requirement();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct All<T>(std::marker::PhantomData<fn() -> T>);

/// One of two to eight requirements: `Any<(A, B)>`. One of none does not compile.
///
/// ```
/// use countersign::authorize::{Any, Requirement, Requires, role};
///
/// struct Admin;
/// impl Requires for Admin {
///     fn requirement() -> Requirement { role("admin") }
/// }
///
/// struct Auditor;
/// impl Requires for Auditor {
///     fn requirement() -> Requirement { role("auditor") }
/// }
///
/// assert_eq!(<Any<(Admin, Auditor)>>::requirement(), role("admin").or(role("auditor")));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Any<T>(std::marker::PhantomData<fn() -> T>);

macro_rules! combine {
    ($(($($part:ident),+))+) => {$(
        impl<$($part: Requires),+> Requires for All<($($part,)+)> {
            fn requirement() -> Requirement {
                Requirement::AllOf(vec![$($part::requirement()),+])
            }
        }

        impl<$($part: Requires),+> Requires for Any<($($part,)+)> {
            fn requirement() -> Requirement {
                Requirement::AnyOf(vec![$($part::requirement()),+])
            }
        }
    )+};
}
combine! { (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G) (A, B, C, D, E, F, G, H) }
