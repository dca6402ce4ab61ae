// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

/**
 * An option of the command line.
 *
 * @param name its long name, without dashes
 * @param letter its short name; empty if it has none
 * @param takesValue whether a value follows it; else it is there or not
 */
record Option(String name, String letter, boolean takesValue) {
    static Option flag(String name) {
        return new Option(name, "", false);
    }

    static Option flag(String name, String letter) {
        return new Option(name, letter, false);
    }

    static Option value(String name) {
        return new Option(name, "", true);
    }

    static Option value(String name, String letter) {
        return new Option(name, letter, true);
    }

    boolean isCalled(String word) {
        return word.equals(name) || (!letter.isEmpty() && word.equals(letter));
    }
}
