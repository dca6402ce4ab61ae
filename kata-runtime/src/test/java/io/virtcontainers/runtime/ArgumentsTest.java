// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class ArgumentsTest {
    private static final List<Option> OPTIONS =
            List.of(Option.flag("force", "f"), Option.value("bundle", "b"), Option.value("env", "e"));

    private static Arguments parse(String... words) {
        return Arguments.parse("test", List.of(words), OPTIONS);
    }

    @Test
    void takesTheFormsOfGoPrograms() {
        for (List<String> form :
                List.of(List.of("--bundle", "x"), List.of("--bundle=x"), List.of("-bundle", "x"), List.of("-b", "x"))) {
            assertThat(Arguments.parse("test", form, OPTIONS).value("bundle")).contains("x");
        }
        assertThat(parse("--force").is("force")).isTrue();
        assertThat(parse("-f=false").is("force")).isFalse();
        assertThat(parse("-e", "A=1", "-e", "B=2").values("env")).containsExactly("A=1", "B=2");
        assertThat(parse("-b", "x", "-b", "y").value("bundle")).contains("y");
        assertThat(parse("--bundle=").value("bundle")).contains("");
    }

    @Test
    void whatFollowsTheIdIsNotItsOwn() {
        Arguments arguments = parse("-f", "c1", "--bundle", "x", "-f", "--", "-v");
        assertThat(arguments.id()).isEqualTo("c1");
        assertThat(arguments.rest()).containsExactly("c1", "--bundle", "x", "-f", "--", "-v");
        assertThat(arguments.value("bundle")).isEmpty();
        assertThat(parse("--", "-f").rest()).containsExactly("-f");
        assertThat(parse("-").rest()).containsExactly("-");
    }

    @Test
    void saysWhatIsWrong() {
        assertThatThrownBy(() -> parse("--nothing", "c1"))
                .isInstanceOf(UsageException.class)
                .hasMessage("test: flag provided but not defined: -nothing");
        assertThatThrownBy(() -> parse("--bundle")).hasMessage("test: flag needs an argument: -bundle");
        assertThatThrownBy(() -> parse("--force=perhaps").is("force")).hasMessageContaining("perhaps");
        assertThatThrownBy(() -> parse("-f").id()).hasMessage("test: Missing container ID");
        assertThatThrownBy(() -> parse("c1", "c2").onlyId()).hasMessageContaining("too many arguments: [c2]");
    }
}
