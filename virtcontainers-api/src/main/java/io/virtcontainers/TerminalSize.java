// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

/**
 * The size of a terminal in characters.
 *
 * @param rows the height, 1 to 65535
 * @param columns the width, 1 to 65535
 */
public record TerminalSize(int rows, int columns) {
    private static final int MAX = 0xffff;

    public TerminalSize {
        if (rows < 1 || rows > MAX || columns < 1 || columns > MAX) {
            throw new InvalidConfigException(
                    "terminal size", rows + "x" + columns, "rows and columns must be 1 to " + MAX);
        }
    }
}
