// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import java.util.Optional;

/** {@code --version}. */
final class Versions {
    /** Of the runtime-spec that is implemented. */
    static final String OCI = "1.1.0";

    private Versions() {}

    static int print() {
        System.out.println("kata-runtime  : " + semantic());
        System.out.println("   commit   : " + commit());
        System.out.println("   OCI specs: " + OCI);
        return 0;
    }

    /** Of this program: {@code 0.1.0-SNAPSHOT}. */
    static String semantic() {
        return Optional.ofNullable(Versions.class.getPackage().getImplementationVersion())
                .orElse("development");
    }

    static String commit() {
        return Optional.ofNullable(Versions.class.getPackage().getSpecificationVersion())
                .orElse("unknown");
    }
}
