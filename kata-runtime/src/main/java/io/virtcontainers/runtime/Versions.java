// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import java.util.Optional;

/** {@code --version}. */
final class Versions {
    /** Of the runtime-spec that is implemented. */
    static final String OCI = "1.1.0";

    private Versions() {}

    static int print() {
        Package program = Versions.class.getPackage();
        String version = Optional.ofNullable(program.getImplementationVersion()).orElse("development");
        String commit = Optional.ofNullable(program.getSpecificationVersion()).orElse("unknown");
        System.out.println("kata-runtime  : " + version);
        System.out.println("   commit   : " + commit);
        System.out.println("   OCI specs: " + OCI);
        return 0;
    }
}
