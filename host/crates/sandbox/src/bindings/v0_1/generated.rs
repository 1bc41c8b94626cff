//! Generated types of `tessera:plugin@0.1.0`.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../../../wit",
    inline: "
        package tessera:host;

        world everything {
            import tessera:plugin/host@0.1.0;
            import tessera:plugin/lookup@0.1.0;
            export tessera:plugin/manifest@0.1.0;
            export tessera:plugin/pricing@0.1.0;
            export tessera:plugin/validation@0.1.0;
            export tessera:plugin/workflow@0.1.0;
        }
    ",
    world: "tessera:host/everything",
    imports: {
        "tessera:plugin/lookup": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
