use super::{All, Requires, Resource};
use crate::token::VerifiedToken;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

/// Says that somebody's token met `R`. Only a check that passed makes one, so a function that asks for it cannot be
/// called without.
///
/// It tells what was so when it was made, for one token: take it as an argument, and do not keep it.
///
/// ```
/// use countersign::authorize::{Proof, Requirement, Requires, role};
///
/// struct Admin;
/// impl Requires for Admin {
///     fn requirement() -> Requirement { role("admin") }
/// }
///
/// /// No route leads here that has not checked.
/// fn wipe(admin: &Proof<Admin>) {
///     println!("wiped by {:?}", admin.token().subject());
/// }
/// ```
///
/// Of a requirement about a resource it says that somebody may do it to some resource: there, demand an [`Authorized`].
pub struct Proof<R> {
    token: VerifiedToken,
    /// Invariant, so that a proof is of this very type.
    of: PhantomData<fn(R) -> R>,
}

impl<R> Proof<R> {
    /// For what has checked it, and nobody else.
    pub(crate) fn new(token: VerifiedToken) -> Self {
        Self { token, of: PhantomData }
    }

    /// Whose it is.
    #[must_use]
    pub fn token(&self) -> &VerifiedToken {
        &self.token
    }

    /// Whose it was.
    #[must_use]
    pub fn into_token(self) -> VerifiedToken {
        self.token
    }
}

impl<R> fmt::Debug for Proof<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proof<{}>", std::any::type_name::<R>())
    }
}

macro_rules! split {
    ($(($($part:ident),+))+) => {$(
        impl<$($part: Requires),+> Proof<All<($($part,)+)>> {
            /// A proof for each part, since each was met.
            #[must_use]
            pub fn split(self) -> ($(Proof<$part>,)+) {
                ($(Proof::<$part>::new(self.token.clone()),)+)
            }
        }
    )+};
}
split! { (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G) (A, B, C, D, E, F, G, H) }

/// Something loaded that can be decided on.
///
/// ```
/// use countersign::authorize::{AsResource, Attribute, Attributes, Resource};
///
/// struct Post { id: String, author: String, text: String }
///
/// impl Attributes for Post {
///     fn get(&self, name: &str) -> Option<Attribute<'_>> {
///         (name == "author").then_some(self.author.as_str().into())
///     }
/// }
///
/// impl AsResource for Post {
///     fn as_resource(&self) -> Resource<'_> {
///         Resource::new("post", &self.id).with_attributes(self)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that can be decided on",
    note = "implement `AsResource`: its kind, its id, and the attributes that policies look at"
)]
pub trait AsResource {
    /// What policies see of it.
    fn as_resource(&self) -> Resource<'_>;
}

impl<T: AsResource + ?Sized> AsResource for Box<T> {
    fn as_resource(&self) -> Resource<'_> {
        (**self).as_resource()
    }
}

impl<T: AsResource + ?Sized> AsResource for std::sync::Arc<T> {
    fn as_resource(&self) -> Resource<'_> {
        (**self).as_resource()
    }
}

/// A resource on which it was decided that `R` is met: the very value that policies saw, so that nobody acts on another.
///
/// It can be read, and taken out; it cannot be changed in its place, or it would be something that nobody has decided on.
/// Cells and locks escape that: keep what policies look at out of them.
///
/// ```
/// use countersign::authorize::{AsResource, Authorized, Requirement, Requires, Resource, action};
///
/// struct Post { id: String, text: String }
/// impl AsResource for Post {
///     fn as_resource(&self) -> Resource<'_> { Resource::new("post", &self.id) }
/// }
///
/// struct EditPost;
/// impl Requires for EditPost {
///     fn requirement() -> Requirement { action("posts:edit") }
/// }
///
/// /// Cannot be called with a post on which nobody has decided.
/// fn edit(post: Authorized<Post, EditPost>, text: &str) -> Post {
///     let (post, _who) = post.into_parts();
///     Post { text: text.to_owned(), ..post }
/// }
/// ```
pub struct Authorized<T, R> {
    resource: T,
    token: VerifiedToken,
    of: PhantomData<fn(R) -> R>,
}

impl<T, R> Authorized<T, R> {
    pub(crate) fn new(resource: T, token: VerifiedToken) -> Self {
        Self { resource, token, of: PhantomData }
    }

    /// Who may do it.
    #[must_use]
    pub fn token(&self) -> &VerifiedToken {
        &self.token
    }

    /// The resource, which nobody has decided on any more, and who might.
    #[must_use]
    pub fn into_parts(self) -> (T, VerifiedToken) {
        (self.resource, self.token)
    }
}

impl<T: fmt::Debug, R> fmt::Debug for Authorized<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorized<{}> ", std::any::type_name::<R>())?;
        self.resource.fmt(f)
    }
}

impl<T, R> Deref for Authorized<T, R> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.resource
    }
}
