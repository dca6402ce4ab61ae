// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

/** The annotations that {@link Bundle} adds to those of the configuration, under Kata's names. */
public final class Annotations {
    /** The absolute path of the bundle. */
    public static final String BUNDLE_PATH = "io.katacontainers.pkg.oci.bundle_path";

    /** {@code pod_sandbox} or {@code pod_container}, see {@link ContainerType}. */
    public static final String CONTAINER_TYPE = "io.katacontainers.pkg.oci.container_type";

    private Annotations() {}
}
