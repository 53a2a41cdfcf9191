import java.lang.reflect.Array;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Timer;
import java.util.TimerTask;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** clickhouse-jdbc, old and new, through nothing but java.sql: this is what DBeaver, Metabase and the like are made of. */
public final class SqlClient {
    private static final String TEXT = "it's a \"quoted\" \\ back\nnew line\ttab ü 漢字 😀 %s {x} :y ?";
    private static final long WHOLE = 9007199254740993L;
    private static final String[] WORDS = {"a'b", "c,d", "\\", "ü"};
    private static final int PATIENCE = 1;
    private static final int CANCEL_AFTER = 700;

    private interface Scenario {
        Map<String, Object> run() throws Exception;
    }

    private final Map<String, String> queries;
    private final String address;
    private final String project;
    private final String key;
    private final boolean old;

    private SqlClient(String[] arguments) throws Exception {
        queries = readQueries(Files.readString(Path.of(arguments[0])));
        address = "jdbc:ch://" + arguments[1] + ":" + arguments[2] + "/" + arguments[3];
        project = arguments[3];
        key = arguments[4];
        old = DriverManager.getDriver(address).getMinorVersion() < 8;
    }

    public static void main(String[] arguments) throws Exception {
        SqlClient client = new SqlClient(arguments);
        Map<String, Scenario> scenarios = client.scenarios();
        for (int i = 5; i < arguments.length; i++) {
            long started = System.nanoTime();
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("scenario", arguments[i]);
            try {
                line.put("answer", scenarios.get(arguments[i]).run());
            } catch (Exception error) {
                java.io.StringWriter trace = new java.io.StringWriter();
                error.printStackTrace(new java.io.PrintWriter(trace));
                line.put("failure", trace.toString().substring(0, Math.min(3000, trace.toString().length())));
            }
            line.put("seconds", (System.nanoTime() - started) / 1e9);
            System.out.println(json(line));
        }
        System.exit(0); // the old driver keeps threads of its own
    }

    private Map<String, Scenario> scenarios() {
        Map<String, Scenario> all = new LinkedHashMap<>();
        all.put("connect", this::connect);
        all.put("stranger", this::stranger);
        all.put("project", this::project);
        all.put("metadata", this::metadata);
        all.put("parameters", this::parameters);
        all.put("million", this::million);
        all.put("types", this::types);
        all.put("unknown_column", () -> failureOf(opened(), queries.get("unknown_column")));
        all.put("timeout", this::timeout);
        all.put("cancel", this::cancel);
        all.put("midstream", this::midstream);
        return all;
    }

    private Connection opened(String... options) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", project);
        properties.setProperty("password", key);
        for (int i = 0; i < options.length; i += 2) {
            properties.setProperty(options[i], options[i + 1]);
        }
        return DriverManager.getConnection(address, properties);
    }

    private Map<String, Object> connect() throws SQLException {
        try (Connection connection = opened(); Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(queries.get("connect"))) {
            row.next();
            DatabaseMetaData words = connection.getMetaData();
            return map("one", row.getInt("one"), "version", row.getString("version"), "timezone", row.getString("timezone"),
                "valid", connection.isValid(5), "product", words.getDatabaseProductName(),
                "server", words.getDatabaseProductVersion(), "driver", words.getDriverVersion());
        }
    }

    /** The new driver connects without asking anything, so a query is asked too. */
    private Map<String, Object> stranger() {
        try (Connection connection = opened("password", "wrong")) {
            return failureOf(connection, "SELECT 1");
        } catch (SQLException error) {
            return failed(error, 0);
        }
    }

    private Map<String, Object> project() throws SQLException {
        try (Connection connection = opened(); Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(queries.get("project"))) {
            List<Object> rows = new ArrayList<>();
            while (row.next()) {
                rows.add(List.of(row.getString(1), row.getLong(2)));
            }
            return map("rows", rows);
        }
    }

    /** What tools draw their trees and their editors from. A database is a catalog to the old driver, a schema to the new one. */
    private Map<String, Object> metadata() throws SQLException {
        try (Connection connection = opened()) {
            DatabaseMetaData about = connection.getMetaData();
            List<Object> databases = texts(about.getCatalogs(), "TABLE_CAT");
            String catalog = databases.contains(project) ? project : null;
            String schema = databases.contains(project) ? null : project;
            databases.addAll(texts(about.getSchemas(), "TABLE_SCHEM"));
            Map<String, Object> columns = new LinkedHashMap<>();
            try (ResultSet row = about.getColumns(catalog, schema, "spans", "%")) {
                while (row.next()) {
                    columns.put(row.getString("COLUMN_NAME"), row.getString("TYPE_NAME"));
                }
            }
            return map("databases", databases,
                "tables", texts(about.getTables(catalog, schema, "%", null), "TABLE_NAME"), "columns", columns,
                "exists", texts(about.getTables(catalog, schema, "spans", null), "TABLE_NAME").size() == 1,
                "kinds", texts(about.getTableTypes(), "TABLE_TYPE"),
                "types", texts(about.getTypeInfo(), "TYPE_NAME").size(),
                "keys", texts(about.getPrimaryKeys(catalog, schema, "spans"), "COLUMN_NAME"),
                "indexes", texts(about.getIndexInfo(catalog, schema, "spans", false, true), "COLUMN_NAME").size(),
                "functions", texts(about.getFunctions(null, null, "%"), "FUNCTION_NAME").size());
        }
    }

    private static List<Object> texts(ResultSet rows, String column) throws SQLException {
        List<Object> found = new ArrayList<>();
        try (rows) {
            while (rows.next()) {
                found.add(rows.getString(column));
            }
        }
        return found;
    }

    private Map<String, Object> parameters() throws SQLException {
        String query = "SELECT ? AS text, toInt64(?) AS whole, ? AS real, ? AS words";
        try (Connection connection = opened(); PreparedStatement statement = connection.prepareStatement(query)) {
            statement.setString(1, TEXT);
            statement.setLong(2, WHOLE);
            statement.setDouble(3, 0.1);
            statement.setArray(4, connection.createArrayOf("String", WORDS));
            try (ResultSet row = statement.executeQuery()) {
                row.next();
                return map("text", row.getString(1), "whole", String.valueOf(row.getLong(2)), "real", row.getDouble(3),
                    "words", row.getArray(4).getArray());
            }
        }
    }

    private Map<String, Object> million() throws SQLException {
        long count = 0;
        long sum = 0;
        double quarters = 0;
        String last = "";
        try (Connection connection = opened(); Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(queries.get("million"))) {
            while (row.next()) {
                count += 1;
                sum += row.getLong(1);
                last = row.getString(3);
                quarters += row.getDouble(4);
            }
        }
        return map("rows", count, "sum", String.valueOf(sum), "quarters", quarters, "last", last);
    }

    /** The old driver knows only the old JSON type, which was text. */
    private Map<String, Object> types() throws SQLException {
        String asText = "output_format_binary_write_json_as_string=1";
        try (Connection connection = old ? opened("custom_http_params", asText) : opened(); Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(queries.get("types"))) {
            row.next();
            ResultSetMetaData about = row.getMetaData();
            Map<String, Object> found = new LinkedHashMap<>();
            Map<String, Object> names = new LinkedHashMap<>();
            for (int i = 1; i <= about.getColumnCount(); i++) {
                String name = about.getColumnLabel(i);
                names.put(name, about.getColumnTypeName(i));
                found.put(name, value(row, name));
            }
            found.put("names", names);
            return found;
        }
    }

    /** A value by the getter that tools use for its type. */
    private static Object value(ResultSet row, String name) throws SQLException {
        switch (name) {
            case "moment":
                return row.getTimestamp(name).toString();
            case "second":
                return row.getTimestamp(name).toString().replace(".0", "");
            case "day":
                return row.getDate(name).toString();
            case "words":
            case "nested":
                return row.getArray(name).getArray();
            case "cost":
            case "largest":
                return row.getBigDecimal(name).toPlainString();
            case "flag":
                return row.getBoolean(name);
            default:
                return row.getObject(name);
        }
    }

    /** The server's limit, then the driver's own: of the socket. */
    private Map<String, Object> timeout() throws SQLException {
        Map<String, Object> found;
        try (Connection connection = opened()) {
            found = failureOf(connection, queries.get("slow") + " SETTINGS max_execution_time = " + PATIENCE);
        }
        try (Connection connection = opened("socket_timeout", String.valueOf(PATIENCE * 1000))) {
            found.put("own", failureOf(connection, queries.get("slow")).get("message"));
            return after(connection, found);
        }
    }

    private Map<String, Object> cancel() throws SQLException {
        try (Connection connection = opened(); Statement statement = connection.createStatement()) {
            List<String> trouble = new ArrayList<>();
            new Timer(true).schedule(new TimerTask() {
                @Override
                public void run() {
                    try {
                        statement.cancel();
                    } catch (SQLException error) {
                        trouble.add(error.getMessage());
                    }
                }
            }, CANCEL_AFTER);
            long started = System.nanoTime();
            Map<String, Object> found;
            try (ResultSet row = statement.executeQuery(queries.get("slow"))) {
                row.next();
                found = map("code", 0, "message", "");
            } catch (SQLException error) {
                found = failed(error, 0);
            }
            found.put("seconds", (System.nanoTime() - started) / 1e9);
            found.put("trouble", trouble);
            return after(connection, found);
        }
    }

    private Map<String, Object> midstream() throws SQLException {
        try (Connection connection = opened()) {
            return after(connection, failureOf(connection, queries.get("midstream")));
        }
    }

    /** Shows that the connection still works. */
    private static Map<String, Object> after(Connection connection, Map<String, Object> found) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet row = statement.executeQuery("SELECT 1")) {
            row.next();
            found.put("after", row.getInt(1));
            return found;
        }
    }

    /** What the driver says about a query that fails; the old one throws unchecked exceptions while rows are read. */
    private static Map<String, Object> failureOf(Connection connection, String query) {
        long read = 0;
        try (Statement statement = connection.createStatement(); ResultSet row = statement.executeQuery(query)) {
            while (row.next()) {
                read += 1;
            }
            return map("code", 0, "message", "", "rows", read);
        } catch (SQLException | RuntimeException error) {
            return failed(error, read);
        }
    }

    private static Map<String, Object> failed(Exception error, long rows) {
        StringBuilder message = new StringBuilder();
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            message.append(cause).append(" | ");
        }
        int code = error instanceof SQLException ? ((SQLException) error).getErrorCode() : 0;
        Matcher told = Pattern.compile("Code: (\\d+)\\. DB::Exception").matcher(message);
        if (code == 0 && told.find()) { // SQLTimeoutException has none of its own
            code = Integer.parseInt(told.group(1));
        }
        return map("code", code, "message", message.substring(0, Math.min(1500, message.length())), "rows", rows);
    }

    private static Map<String, Object> map(Object... pairs) {
        Map<String, Object> made = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            made.put((String) pairs[i], pairs[i + 1]);
        }
        return made;
    }

    /** The flat object of texts that queries.json is. */
    private static Map<String, String> readQueries(String text) {
        Map<String, String> found = new LinkedHashMap<>();
        Matcher pair = Pattern.compile("\"(\\w+)\": \"((?:[^\"\\\\]|\\\\.)*)\"").matcher(text);
        while (pair.find()) {
            found.put(pair.group(1), pair.group(2).replace("\\\"", "\"").replace("\\\\", "\\"));
        }
        return found;
    }

    private static String json(Object value) {
        if (value == null || value instanceof Boolean || value instanceof Number) {
            return String.valueOf(value);
        }
        if (value instanceof Map) {
            List<String> parts = new ArrayList<>();
            ((Map<?, ?>) value).forEach((name, item) -> parts.add(json(name.toString()) + ": " + json(item)));
            return "{" + String.join(", ", parts) + "}";
        }
        if (value instanceof Collection) {
            List<String> parts = new ArrayList<>();
            for (Iterator<?> items = ((Collection<?>) value).iterator(); items.hasNext();) {
                parts.add(json(items.next()));
            }
            return "[" + String.join(", ", parts) + "]";
        }
        if (value.getClass().isArray()) {
            List<Object> items = new ArrayList<>();
            for (int i = 0; i < Array.getLength(value); i++) {
                items.add(Array.get(value, i));
            }
            return json(items);
        }
        StringBuilder quoted = new StringBuilder("\"");
        for (char letter : value.toString().toCharArray()) {
            quoted.append(letter == '"' || letter == '\\' ? "\\" + letter
                : letter < ' ' ? String.format("\\u%04x", (int) letter) : String.valueOf(letter));
        }
        return quoted.append('"').toString();
    }
}
