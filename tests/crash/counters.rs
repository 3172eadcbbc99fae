//! Plain counters that add up and print themselves.

/// Defines a struct of `u64` counters.
macro_rules! counters {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $($(#[$field_about:meta])* $field:ident,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct $name {
            $($(#[$field_about])* pub $field: u64,)*
        }

        impl $name {
            pub fn add(&mut self, other: &$name) {
                $(self.$field += other.$field;)*
            }

            /// The counters as members of a JSON object, without the braces.
            pub fn json(&self) -> String {
                let members = [$(format!("\"{}\": {}", stringify!($field), self.$field),)*];
                members.join(", ")
            }
        }
    };
}

pub(crate) use counters;
