// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.spi;

import io.virtcontainers.InvalidConfigException;
import java.util.regex.Pattern;

/** The rule for ids: they become parts of paths and of socket names (107 bytes on Linux), so they are narrow. */
public final class Ids {
    private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.-]*");
    private static final int MAX_LENGTH = 64;

    private Ids() {}

    /**
     * The id, if it follows the rule.
     *
     * @param what names it in the error: {@code sandbox id}
     * @throws InvalidConfigException if it does not
     */
    public static String require(String what, String id) {
        if (id.length() > MAX_LENGTH || !ID.matcher(id).matches()) {
            String shown = id.length() > MAX_LENGTH ? id.substring(0, MAX_LENGTH) + "..." : id;
            throw new InvalidConfigException(
                    what,
                    '"' + shown + '"',
                    "must be 1 to " + MAX_LENGTH + " letters, digits, '_', '.', '-', and begin with a letter or digit");
        }
        return id;
    }
}
