// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import java.util.ArrayList;
import java.util.List;

/** Writes configurations: one that is given, and the file with all options and what they mean. */
public final class ConfigurationText {
    private static final int WIDTH = 100;

    private ConfigurationText() {}

    static String of(Configuration configuration) {
        StringBuilder text = new StringBuilder();
        String table = "";
        for (ConfigOption<?> option : Options.all()) {
            if (option.isInFile() && configuration.setting(option).isPresent()) {
                if (!option.table().equals(table)) {
                    table = option.table();
                    text.append('[').append(table).append("]\n");
                }
                text.append(option.key())
                        .append(" = ")
                        .append(written(option, configuration))
                        .append('\n');
            }
        }
        return text.toString();
    }

    private static <T> TomlValue written(ConfigOption<T> option, Configuration configuration) {
        return option.written(configuration.get(option));
    }

    private static <T> TomlValue standard(ConfigOption<T> option) {
        return option.written(option.standard());
    }

    /** A file with every option at its default, commented out, with what it means and what is allowed. */
    public static String defaultFile() {
        StringBuilder text = new StringBuilder();
        comment(
                text,
                "The configuration of kata-runtime. Every option is here with its default, commented out. Read from the"
                        + " file of --kata-config, else /etc/kata-containers/configuration.toml, else"
                        + " /usr/share/defaults/kata-containers/configuration.toml.");
        String table = "";
        for (ConfigOption<?> option : Options.all()) {
            if (!option.isInFile()) {
                continue;
            }
            if (!option.table().equals(table)) {
                table = option.table();
                text.append("\n[").append(table).append("]\n");
            }
            text.append('\n');
            comment(text, option.meaning());
            option.annotation().ifPresent(annotation -> comment(text, "Annotation: " + annotation));
            comment(
                    text,
                    switch (option.support()) {
                        case YES -> "Must be " + option.type().allowed() + ".";
                        case NOT_YET -> "Not supported, the default only: " + option.reason() + ".";
                        case MEANINGLESS -> "Without a meaning here, the default only: " + option.reason() + ".";
                    });
            text.append('#')
                    .append(option.key())
                    .append(" = ")
                    .append(standard(option))
                    .append('\n');
        }
        return text.toString();
    }

    private static void comment(StringBuilder text, String sentence) {
        for (String line : wrapped(sentence)) {
            text.append("# ").append(line).append('\n');
        }
    }

    private static List<String> wrapped(String sentence) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : sentence.split(" ", -1)) {
            if (!line.isEmpty() && line.length() + word.length() >= WIDTH) {
                lines.add(line.toString());
                line.setLength(0);
            }
            line.append(line.isEmpty() ? "" : " ").append(word);
        }
        lines.add(line.toString());
        return lines;
    }

    /** docs/configuration.md. */
    static String documentation() {
        StringBuilder text = new StringBuilder();
        text.append("""
                # configuration.toml

                <!-- Generated from io.virtcontainers.runtime.config.Options; DocumentationTest says how to write it anew. -->

                The file of `--kata-config`, else `/etc/kata-containers/configuration.toml`, else
                `/usr/share/defaults/kata-containers/configuration.toml`, else all defaults. `kata-runtime kata-config` prints one
                with every option and its meaning. Keys and meanings are those of Kata Containers 1.x; where its default is another,
                both are named. An empty string, and 0 where it is not allowed, mean the default (not for `default_memory`).

                A mistake ends a command with exit code 1 and one line, before anything is started: the file, the line, the option,
                its value, and what is allowed. Unknown keys are mistakes too.

                An annotation of a container or pod overrides the file if an expression of `enable_annotations` matches its whole
                name after the group (`kernel_params`, say). `io.katacontainers.config.hypervisor.kernel_hash`, and the same for
                `image`, `initrd`, `firmware` and `hypervisor`, have the SHA-512 of the file that is used. What is marked *not
                supported* or *no meaning* is accepted with its default only, and refused by name else.
                """);
        String table = "";
        for (ConfigOption<?> option : Options.all()) {
            if (!option.table().equals(table)) {
                table = option.table();
                text.append("\n## [").append(table).append("]\n\n");
                text.append("| key | type | default | meaning | annotation |\n|---|---|---|---|---|\n");
            }
            text.append(row(option)).append('\n');
        }
        return text.toString();
    }

    private static String row(ConfigOption<?> option) {
        String key = option.isInFile() ? "`" + option.key() + "`" : "`" + option.key() + "` (annotation only)";
        String standard = "`" + standard(option) + "`"
                + option.kataDefault().map(kata -> " (Kata: `" + kata + "`)").orElse("");
        String meaning = option.meaning()
                + switch (option.support()) {
                    case YES ->
                        option.type() instanceof ValueType.Truth
                                ? ""
                                : " Must be " + option.type().allowed() + ".";
                    case NOT_YET -> " *Not supported: " + option.reason() + ".*";
                    case MEANINGLESS -> " *No meaning: " + option.reason() + ".*";
                };
        String annotation = option.annotation()
                .map(name -> "`" + name.replace("io.katacontainers.config.", "") + "`")
                .orElse("-");
        return "| " + key + " | " + option.type().name() + " | " + standard + " | "
                + meaning.replace("|", "\\|").replace("<", "&lt;") + " | " + annotation + " |";
    }
}
