// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * What the values of an option may be: how they are written, in TOML and in an annotation, and which are allowed.
 *
 * @param <T> what they are in Java
 */
sealed interface ValueType<T> {
    /** Its name in TOML, for the documentation. */
    String name();

    /** What is allowed, as the end of a sentence that begins with {@code must be}. */
    String allowed();

    /** @throws BadValueException if it is of another kind, or is not allowed */
    T read(TomlValue value) throws BadValueException;

    /** From an annotation. */
    T read(String text) throws BadValueException;

    TomlValue write(T value);

    /** {@code true} or {@code false}. */
    record Truth() implements ValueType<Boolean> {
        @Override
        public String name() {
            return "boolean";
        }

        @Override
        public String allowed() {
            return "true or false";
        }

        @Override
        public Boolean read(TomlValue value) throws BadValueException {
            if (value instanceof TomlValue.Truth truth) {
                return truth.value();
            }
            throw BadValueException.ofKind(value, this);
        }

        @Override
        public Boolean read(String text) throws BadValueException {
            return switch (text) {
                case "true" -> true;
                case "false" -> false;
                default -> throw BadValueException.not(this);
            };
        }

        @Override
        public TomlValue write(Boolean value) {
            return new TomlValue.Truth(value);
        }
    }

    /** A whole number. */
    record Count(int min, int max, String unit) implements ValueType<Integer> {
        @Override
        public String name() {
            return "integer";
        }

        @Override
        public String allowed() {
            return "a whole number" + unit + " from " + min + " to " + max;
        }

        @Override
        public Integer read(TomlValue value) throws BadValueException {
            if (value instanceof TomlValue.Whole number) {
                return inRange(number.value());
            }
            throw BadValueException.ofKind(value, this);
        }

        @Override
        public Integer read(String text) throws BadValueException {
            try {
                return inRange(Long.parseLong(text));
            } catch (NumberFormatException e) {
                throw BadValueException.not(this);
            }
        }

        private int inRange(long number) throws BadValueException {
            if (number < min || number > max) {
                throw BadValueException.not(this);
            }
            return (int) number;
        }

        @Override
        public TomlValue write(Integer value) {
            return new TomlValue.Whole(value);
        }
    }

    /**
     * One of some words.
     *
     * @param words what is supported
     * @param notYet what is known, but not supported
     */
    record Choice(List<String> words, List<String> notYet) implements ValueType<String> {
        @Override
        public String name() {
            return "string";
        }

        @Override
        public String allowed() {
            return String.join(", ", words.subList(0, words.size() - 1))
                    + (words.size() > 1 ? " or " : "")
                    + words.get(words.size() - 1);
        }

        @Override
        public String read(TomlValue value) throws BadValueException {
            if (value instanceof TomlValue.Text text) {
                return read(text.value());
            }
            throw BadValueException.ofKind(value, this);
        }

        @Override
        public String read(String text) throws BadValueException {
            if (notYet.contains(text)) {
                throw new BadValueException("is not supported: must be " + allowed());
            }
            if (!words.contains(text)) {
                throw BadValueException.not(this);
            }
            return text;
        }

        @Override
        public TomlValue write(String value) {
            return new TomlValue.Text(value);
        }
    }

    /** What a path must lead to. */
    enum Target {
        PROGRAM("an executable file"),
        FILE("a readable file"),
        DIRECTORY("a directory"),
        CHARACTER_DEVICE("a readable character device"),
        ANYTHING("");

        private static final int TYPE = 0_170_000;
        private static final int CHARACTER = 0_020_000;

        private final String text;

        Target(String text) {
            this.text = text;
        }

        private boolean isAt(Path path) {
            return switch (this) {
                case PROGRAM -> Files.isRegularFile(path) && Files.isExecutable(path);
                case FILE -> Files.isRegularFile(path) && Files.isReadable(path);
                case DIRECTORY -> Files.isDirectory(path);
                case CHARACTER_DEVICE -> isCharacterDevice(path) && Files.isReadable(path);
                case ANYTHING -> true;
            };
        }

        private static boolean isCharacterDevice(Path path) {
            try {
                return ((Integer) Files.getAttribute(path, "unix:mode") & TYPE) == CHARACTER;
            } catch (java.io.IOException e) {
                return false;
            }
        }
    }

    /** An absolute path; an empty string is none. */
    record File(Target target) implements ValueType<Optional<Path>> {
        @Override
        public String name() {
            return "string";
        }

        @Override
        public String allowed() {
            return "the absolute path of " + (target == Target.ANYTHING ? "a file" : target.text);
        }

        @Override
        public Optional<Path> read(TomlValue value) throws BadValueException {
            if (value instanceof TomlValue.Text text) {
                return read(text.value());
            }
            throw BadValueException.ofKind(value, this);
        }

        @Override
        public Optional<Path> read(String text) throws BadValueException {
            if (text.isEmpty()) {
                return Optional.empty();
            }
            Path path;
            try {
                path = Path.of(text);
            } catch (InvalidPathException e) {
                throw BadValueException.not(this);
            }
            if (!path.isAbsolute() || text.chars().anyMatch(c -> c < ' ')) {
                throw BadValueException.not(this);
            }
            if (target != Target.ANYTHING && !Files.exists(path)) {
                throw new BadValueException("there is no such file: must be " + allowed());
            }
            if (!target.isAt(path)) {
                throw new BadValueException("is not " + target.text + " for this user: must be " + allowed());
            }
            return Optional.of(path);
        }

        @Override
        public TomlValue write(Optional<Path> value) {
            return new TomlValue.Text(value.map(Path::toString).orElse(""));
        }
    }

    /** What the strings of a list must be. */
    enum Item {
        WORD("words of letters, digits and _.:+=/-", Pattern.compile("[A-Za-z0-9_.:+=/-]+")),
        PARAMETER("words without blanks", Pattern.compile("[!-~]+")),
        ARGUMENT("strings that are not empty", Pattern.compile("[^\\x00-\\x1f]+")),
        PATH("absolute paths", Pattern.compile("/[^\\x00-\\x1f]*")),
        EXPRESSION("regular expressions", Pattern.compile("[^\\x00-\\x1f]+")),
        NOTHING("strings, of which none is known", Pattern.compile("(?!)"));

        private final String text;
        private final Pattern pattern;

        Item(String text, Pattern pattern) {
            this.text = text;
            this.pattern = pattern;
        }

        private boolean is(String value) {
            if (this == EXPRESSION) {
                try {
                    Pattern.compile(value);
                } catch (PatternSyntaxException e) {
                    return false;
                }
            }
            return pattern.matcher(value).matches();
        }
    }

    /**
     * Several strings.
     *
     * @param separator what is between them where they are one string; empty: in TOML they are a list
     * @param annotationSeparator the same in an annotation
     */
    record Strings(Item item, String separator, String annotationSeparator) implements ValueType<List<String>> {
        @Override
        public String name() {
            return separator.isEmpty() ? "list of strings" : "string";
        }

        @Override
        public String allowed() {
            String between = separator.isBlank() ? "blanks" : "commas";
            return separator.isEmpty() ? "a list of " + item.text : item.text + ", with " + between + " between them";
        }

        @Override
        public List<String> read(TomlValue value) throws BadValueException {
            if (!separator.isEmpty() && value instanceof TomlValue.Text text) {
                return checked(split(text.value(), separator));
            }
            if (!separator.isEmpty() || !(value instanceof TomlValue.Array array)) {
                throw BadValueException.ofKind(value, this);
            }
            List<String> strings = new ArrayList<>();
            for (TomlValue each : array.values()) {
                if (!(each instanceof TomlValue.Text text)) {
                    throw new BadValueException("has " + each + ", " + each.kind() + ": must be " + allowed());
                }
                strings.add(text.value());
            }
            return checked(strings);
        }

        @Override
        public List<String> read(String text) throws BadValueException {
            return checked(split(text, annotationSeparator));
        }

        private static List<String> split(String text, String separator) {
            List<String> parts = new ArrayList<>();
            for (String part : text.split(Pattern.quote(separator), -1)) {
                if (!part.isBlank()) {
                    parts.add(part.strip());
                }
            }
            return parts;
        }

        private List<String> checked(List<String> strings) throws BadValueException {
            for (String each : strings) {
                if (!item.is(each)) {
                    throw new BadValueException("has " + TomlValue.quoted(each) + ": must be " + allowed());
                }
            }
            return List.copyOf(strings);
        }

        @Override
        public TomlValue write(List<String> value) {
            if (!separator.isEmpty()) {
                return new TomlValue.Text(String.join(separator, value));
            }
            return new TomlValue.Array(
                    value.stream().<TomlValue>map(TomlValue.Text::new).toList());
        }
    }
}
