// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.util.Locale;

/**
 * A Linux signal.
 *
 * @param number 1 to 64, as in signal(7) for x86 and arm
 */
public record Signal(int number) {
    private static final String[] NAMES = {
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS"
    };
    private static final int LAST = 64;

    public static final Signal HUP = new Signal(1);
    public static final Signal INT = new Signal(2);
    public static final Signal QUIT = new Signal(3);
    public static final Signal KILL = new Signal(9);
    public static final Signal USR1 = new Signal(10);
    public static final Signal USR2 = new Signal(12);
    public static final Signal TERM = new Signal(15);
    public static final Signal CONT = new Signal(18);
    public static final Signal STOP = new Signal(19);
    public static final Signal WINCH = new Signal(28);

    public Signal {
        if (number < 1 || number > LAST) {
            throw new InvalidConfigException("signal", Integer.toString(number), "must be 1 to " + LAST);
        }
    }

    /** A signal by its number or by its name, with or without {@code SIG}, in any case: {@code 9, KILL, sigkill}. */
    public static Signal of(String nameOrNumber) {
        String name = nameOrNumber.strip().toUpperCase(Locale.ROOT);
        if (!name.isEmpty() && name.chars().allMatch(c -> c >= '0' && c <= '9') && name.length() <= 3) {
            return new Signal(Integer.parseInt(name));
        }
        String bare = name.startsWith("SIG") ? name.substring(3) : name;
        for (int i = 0; i < NAMES.length; i++) {
            if (NAMES[i].equals(bare)) {
                return new Signal(i + 1);
            }
        }
        throw new InvalidConfigException("signal", nameOrNumber, "is not the name of a Linux signal; see signal(7)");
    }

    @Override
    public String toString() {
        return number <= NAMES.length ? "SIG" + NAMES[number - 1] : "signal " + number;
    }
}
