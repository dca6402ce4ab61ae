// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What a kernel module says about itself in its .modinfo section. Names have '_' for '-'.
 *
 * @param depends modules without whose symbols it does not load
 * @param pre modules or aliases that it wants loaded before, without needing their symbols
 * @param post the same, after
 */
record ModuleInfo(List<String> depends, List<String> pre, List<String> post) {

    static ModuleInfo read(ByteSource module) throws IOException {
        byte[] section = ElfFile.read(module)
                .section(".modinfo")
                .orElseThrow(() -> new MalformedException("not a kernel module: it has no .modinfo"));
        List<String> depends = new ArrayList<>();
        List<String> pre = new ArrayList<>();
        List<String> post = new ArrayList<>();
        for (String field : new String(section, StandardCharsets.UTF_8).split("\0", -1)) {
            if (field.startsWith("depends=")) {
                depends.addAll(words(field.substring("depends=".length()), ","));
            } else if (field.startsWith("softdep=")) {
                List<String> target = pre;
                for (String word : words(field.substring("softdep=".length()), "\\s+")) {
                    switch (word) {
                        case "pre:" -> target = pre;
                        case "post:" -> target = post;
                        default -> target.add(word);
                    }
                }
            }
        }
        return new ModuleInfo(List.copyOf(depends), List.copyOf(pre), List.copyOf(post));
    }

    private static List<String> words(String text, String separator) {
        return Arrays.stream(text.split(separator, -1))
                .map(String::strip)
                .filter(word -> !word.isEmpty())
                .map(ModuleInfo::normalize)
                .toList();
    }

    /** The kernel takes '-' and '_' in names of modules for the same. */
    static String normalize(String name) {
        return name.replace('-', '_');
    }
}
