// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.Set;

/** This program is a consumer: what it needs of the library is public. */
@AnalyzeClasses(packages = "io.virtcontainers.runtime", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    private static final Set<String> PUBLIC = Set.of("io.virtcontainers", "io.virtcontainers.oci");

    @ArchTest
    static final ArchRule ONLY_THE_PUBLIC_API = noClasses()
            .should()
            .dependOnClassesThat(DescribedPredicate.describe(
                    "are the library's own affair",
                    (JavaClass dependency) -> dependency.getPackageName().startsWith("io.virtcontainers")
                            && !dependency.getPackageName().startsWith("io.virtcontainers.runtime")
                            && !PUBLIC.contains(dependency.getPackageName())));
}
