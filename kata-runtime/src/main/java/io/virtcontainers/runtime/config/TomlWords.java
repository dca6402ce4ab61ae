// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

/** Numbers and truth values of TOML. */
final class TomlWords {
    private TomlWords() {}

    static TomlValue value(String word, int line) throws TomlException {
        return switch (word) {
            case "true" -> new TomlValue.Truth(true);
            case "false" -> new TomlValue.Truth(false);
            case "inf", "+inf" -> new TomlValue.Fraction(Double.POSITIVE_INFINITY);
            case "-inf" -> new TomlValue.Fraction(Double.NEGATIVE_INFINITY);
            case "nan", "+nan", "-nan" -> new TomlValue.Fraction(Double.NaN);
            default -> number(word, line);
        };
    }

    private static TomlValue number(String word, int line) throws TomlException {
        if (word.startsWith("0x") || word.startsWith("0o") || word.startsWith("0b")) {
            int radix = word.charAt(1) == 'x' ? 16 : word.charAt(1) == 'o' ? 8 : 2;
            String digits = digits(word, 2, word.length(), radix, line);
            return whole(word, digits, radix, line);
        }
        int sign = word.startsWith("+") || word.startsWith("-") ? 1 : 0;
        boolean exponent = word.indexOf('e') >= 0 || word.indexOf('E') >= 0;
        if (word.indexOf(':') >= 0 || (word.indexOf('-', 1) > 0 && !exponent)) {
            throw new TomlException(line, word + " is no value: a string needs quotes, and dates are not used here");
        }
        if (word.indexOf('.') >= 0 || exponent) {
            return fraction(word, sign, line);
        }
        String digits = digits(word, sign, word.length(), 10, line);
        requireNoLeadingZero(digits, word, line);
        return whole(word, (word.startsWith("-") ? "-" : "") + digits, 10, line);
    }

    private static TomlValue whole(String word, String digits, int radix, int line) throws TomlException {
        try {
            return new TomlValue.Whole(Long.parseLong(digits, radix));
        } catch (NumberFormatException e) {
            throw new TomlException(line, word + " does not fit in 64 bits");
        }
    }

    private static TomlValue fraction(String word, int sign, int line) throws TomlException {
        int exponent = Math.max(word.indexOf('e'), word.indexOf('E'));
        int mantissaEnd = exponent < 0 ? word.length() : exponent;
        int dot = word.indexOf('.');
        String number;
        if (dot >= 0 && dot < mantissaEnd) {
            String before = digits(word, sign, dot, 10, line);
            requireNoLeadingZero(before, word, line);
            number = before + "." + digits(word, dot + 1, mantissaEnd, 10, line);
        } else {
            number = digits(word, sign, mantissaEnd, 10, line);
            requireNoLeadingZero(number, word, line);
        }
        if (exponent >= 0) {
            boolean signed = word.startsWith("+", exponent + 1) || word.startsWith("-", exponent + 1);
            String digits = digits(word, exponent + (signed ? 2 : 1), word.length(), 10, line);
            number += "e" + (word.startsWith("-", exponent + 1) ? "-" : "") + digits;
        }
        return new TomlValue.Fraction(Double.parseDouble((word.startsWith("-") ? "-" : "") + number));
    }

    /** Without the underscores, of which each must be between two digits. */
    private static String digits(String word, int from, int to, int radix, int line) throws TomlException {
        String digits = word.substring(from, to);
        boolean wellFormed = !digits.isEmpty()
                && !digits.startsWith("_")
                && !digits.endsWith("_")
                && !digits.contains("__")
                && digits.chars().allMatch(c -> c == '_' || Character.digit(c, radix) >= 0);
        if (!wellFormed) {
            throw new TomlException(line, noValue(word));
        }
        return digits.replace("_", "");
    }

    private static void requireNoLeadingZero(String digits, String word, int line) throws TomlException {
        if (digits.length() > 1 && digits.startsWith("0")) {
            throw new TomlException(line, word + " has a leading zero: write it without, or octal as 0o17");
        }
    }

    private static String noValue(String word) {
        return word + " is no value: a string needs quotes";
    }
}
