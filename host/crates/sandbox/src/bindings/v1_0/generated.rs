//! Generated types of `tessera:plugin@1.0.0`.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../../../wit",
    inline: "
        package tessera:host;

        world everything {
            import tessera:plugin/host@1.0.0;
            import tessera:plugin/lookup@1.0.0;
            export tessera:plugin/manifest@1.0.0;
            export tessera:plugin/pricing@1.0.0;
            export tessera:plugin/validation@1.0.0;
            export tessera:plugin/workflow@1.0.0;
        }
    ",
    world: "tessera:host/everything",
    imports: {
        "tessera:plugin/lookup": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
