// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

/** When a hook runs, and where (runtime-spec, config.md, {@code hooks}). */
public enum HookKind {
    /** Deprecated, yet what Docker uses: as {@link #CREATE_RUNTIME}, and before it. */
    PRESTART("prestart", false),
    /** During <em>create</em>, on the host. */
    CREATE_RUNTIME("createRuntime", false),
    /** During <em>create</em>, in the container's namespaces before its root is changed: in the guest. */
    CREATE_CONTAINER("createContainer", true),
    /** During <em>start</em> before the user's program, in the container: in the guest. */
    START_CONTAINER("startContainer", true),
    /** During <em>start</em> after the user's program has begun, on the host. */
    POSTSTART("poststart", false),
    /** During <em>delete</em> after the container is gone, on the host. */
    POSTSTOP("poststop", false);

    private final String field;
    private final boolean inGuest;

    HookKind(String field, boolean inGuest) {
        this.field = field;
        this.inGuest = inGuest;
    }

    /** Whether it belongs into the container's namespaces, which are the guest's. */
    public boolean inGuest() {
        return inGuest;
    }

    /** The name of the field below {@code hooks}. */
    @Override
    public String toString() {
        return field;
    }
}
