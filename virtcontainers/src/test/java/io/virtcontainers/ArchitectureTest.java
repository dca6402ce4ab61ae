// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The arrows of the architecture: consumers -> core -> api <- backends. */
@AnalyzeClasses(packages = "io.virtcontainers", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    @ArchTest
    static final ArchRule THE_API_KNOWS_NOTHING_BUT_ITSELF = classes()
            .that()
            .resideInAnyPackage("io.virtcontainers", "io.virtcontainers.spi")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(
                    "io.virtcontainers", "io.virtcontainers.spi", "java..", "org.jspecify..", "org.slf4j..");

    @ArchTest
    static final ArchRule THE_CORE_NAMES_NO_BACKEND = classes()
            .that()
            .resideInAPackage("io.virtcontainers.core..")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(
                    "io.virtcontainers",
                    "io.virtcontainers.spi",
                    "io.virtcontainers.core..",
                    "java..",
                    "jdk.jfr..",
                    "com.google.common..",
                    "com.fasterxml.jackson..",
                    "org.jspecify..",
                    "org.slf4j..");

    @ArchTest
    static final ArchRule QEMU_KNOWS_ONLY_THE_API = backendKnowsOnlyTheApi("io.virtcontainers.hypervisor..");

    @ArchTest
    static final ArchRule THE_AGENT_CLIENT_KNOWS_ONLY_THE_API = backendKnowsOnlyTheApi("io.virtcontainers.agent..");

    @ArchTest
    static final ArchRule THE_GUEST_IMAGE_KNOWS_ONLY_THE_API = backendKnowsOnlyTheApi("io.virtcontainers.guest..");

    @ArchTest
    static final ArchRule THE_TESTKIT_KNOWS_ONLY_THE_API = backendKnowsOnlyTheApi("io.virtcontainers.testkit..");

    @ArchTest
    static final ArchRule LINUX_KNOWS_NOTHING_OF_OURS = noClasses()
            .that()
            .resideInAPackage("io.virtcontainers.linux..")
            .should()
            .dependOnClassesThat(com.tngtech.archunit.base.DescribedPredicate.describe(
                    "are ours but not of linux",
                    dependency -> dependency.getPackageName().startsWith("io.virtcontainers")
                            && !dependency.getPackageName().startsWith("io.virtcontainers.linux")));

    @ArchTest
    static final ArchRule NATIVE_CALLS_ARE_IN_LINUX = noClasses()
            .that()
            .resideOutsideOfPackage("io.virtcontainers.linux..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("jnr..", "com.kenai.jffi..");

    @ArchTest
    static final ArchRule OCI_KNOWS_ONLY_THE_API = backendKnowsOnlyTheApi("io.virtcontainers.oci..");

    @ArchTest
    static final ArchRule NOBODY_PRINTS = noClasses()
            .should()
            .accessField(System.class, "out")
            .orShould()
            .accessField(System.class, "err")
            .because("a library logs; only programs print");

    private static ArchRule backendKnowsOnlyTheApi(String backend) {
        return noClasses()
                .that()
                .resideInAPackage(backend)
                .should()
                .dependOnClassesThat(com.tngtech.archunit.base.DescribedPredicate.describe(
                        "are ours but neither of the API nor of " + backend,
                        dependency -> dependency.getPackageName().startsWith("io.virtcontainers")
                                && !dependency.getPackageName().equals("io.virtcontainers")
                                && !dependency.getPackageName().equals("io.virtcontainers.spi")
                                && !dependency.getPackageName().startsWith("io.virtcontainers.linux")
                                && !dependency.getPackageName().startsWith(backend.replace("..", ""))));
    }
}
