//! The contract's types, generated: a world for each hook, so that a plugin exports what it has and no more.
#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::expect_used)]

pub mod base {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package tessera:sdk-base;
            world base {
                import tessera:plugin/host@0.1.0;
                export tessera:plugin/manifest@0.1.0;
            }
        ",
        world: "tessera:sdk-base/base",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "tessera_plugin::bindings::base",
        additional_derives: [PartialEq],
    });
}

pub mod lookup {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package tessera:sdk-lookup;
            world lookups {
                import tessera:plugin/lookup@0.1.0;
            }
        ",
        world: "tessera:sdk-lookup/lookups",
        generate_all,
        with: { "tessera:plugin/types@0.1.0": super::base::tessera::plugin::types },
        additional_derives: [PartialEq],
    });
}

pub mod validation {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package tessera:sdk-validation;
            world validation-hook {
                export tessera:plugin/validation@0.1.0;
            }
        ",
        world: "tessera:sdk-validation/validation-hook",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "tessera_plugin::bindings::validation",
        with: { "tessera:plugin/types@0.1.0": super::base::tessera::plugin::types },
        additional_derives: [PartialEq],
    });
}

pub mod workflow {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package tessera:sdk-workflow;
            world workflow-hook {
                export tessera:plugin/workflow@0.1.0;
            }
        ",
        world: "tessera:sdk-workflow/workflow-hook",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "tessera_plugin::bindings::workflow",
        with: { "tessera:plugin/types@0.1.0": super::base::tessera::plugin::types },
        additional_derives: [PartialEq],
    });
}

pub mod pricing {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package tessera:sdk-pricing;
            world pricing-hook {
                export tessera:plugin/pricing@0.1.0;
            }
        ",
        world: "tessera:sdk-pricing/pricing-hook",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "tessera_plugin::bindings::pricing",
        with: { "tessera:plugin/types@0.1.0": super::base::tessera::plugin::types },
        additional_derives: [PartialEq],
    });
}
