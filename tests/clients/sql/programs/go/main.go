// clickhouse-go over HTTP, as database/sql sees it: this is what Grafana's ClickHouse plugin is made of.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

const (
	text        = "it's a \"quoted\" \\ back\nnew line\ttab ü 漢字 😀 %s {x} :y ?"
	whole       = int64(9007199254740993)
	patience    = 1
	cancelAfter = 700 * time.Millisecond
)

var words = []string{"a'b", "c,d", "\\", "ü"}

type answer = map[string]any

type call struct {
	queries            map[string]string
	host, project, key string
}

func (c call) options() *clickhouse.Options {
	return &clickhouse.Options{
		Protocol: clickhouse.HTTP,
		Addr:     []string{c.host},
		Auth:     clickhouse.Auth{Database: c.project, Username: c.project, Password: c.key},
		Settings: clickhouse.Settings{},
	}
}

// opened is a pool of database/sql; `change` may alter the options.
func (c call) opened(change func(*clickhouse.Options)) *sql.DB {
	options := c.options()
	if change != nil {
		change(options)
	}
	return clickhouse.OpenDB(options)
}

// connect asks once for every way to compress.
func connect(c call) (answer, error) {
	var one uint8
	var version, timezone string
	methods := map[string]clickhouse.CompressionMethod{
		"none": clickhouse.CompressionNone, "lz4": clickhouse.CompressionLZ4, "zstd": clickhouse.CompressionZSTD,
		"gzip": clickhouse.CompressionGZIP, "deflate": clickhouse.CompressionDeflate, "br": clickhouse.CompressionBrotli,
	}
	for name, method := range methods {
		pool := c.opened(func(o *clickhouse.Options) { o.Compression = &clickhouse.Compression{Method: method, Level: 3} })
		defer pool.Close()
		if err := pool.Ping(); err != nil {
			return nil, fmt.Errorf("ping with %s: %w", name, err)
		}
		if err := pool.QueryRow(c.queries["connect"]).Scan(&one, &version, &timezone); err != nil {
			return nil, fmt.Errorf("query with %s: %w", name, err)
		}
	}
	native, err := clickhouse.Open(c.options())
	if err != nil {
		return nil, err
	}
	defer native.Close()
	server, err := native.ServerVersion()
	if err != nil {
		return nil, err
	}
	return answer{"one": one, "version": version, "timezone": timezone, "server": server.String()}, nil
}

func stranger(c call) (answer, error) {
	pool := c.opened(func(o *clickhouse.Options) { o.Auth.Password = "wrong" })
	defer pool.Close()
	return failed(pool.Ping(), 0), nil
}

func project(c call) (answer, error) {
	pool := c.opened(nil)
	defer pool.Close()
	var name string
	var spans uint64
	err := pool.QueryRow(c.queries["project"]).Scan(&name, &spans)
	return answer{"rows": [][]any{{name, spans}}}, err
}

func metadata(c call) (answer, error) {
	pool := c.opened(nil)
	defer pool.Close()
	databases, err := strings(pool, "SHOW DATABASES")
	if err != nil {
		return nil, err
	}
	tables, err := strings(pool, "SHOW TABLES")
	if err != nil {
		return nil, err
	}
	var exists uint8
	if err := pool.QueryRow("EXISTS TABLE spans").Scan(&exists); err != nil {
		return nil, err
	}
	rows, err := pool.Query("SELECT * FROM spans LIMIT 1")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	kinds, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	columns := answer{}
	for _, kind := range kinds {
		columns[kind.Name()] = kind.DatabaseTypeName()
	}
	return answer{"databases": databases, "tables": tables, "columns": columns, "exists": exists == 1}, rows.Err()
}

// strings is the first column of a query, all of text.
func strings(pool *sql.DB, query string) ([]string, error) {
	rows, err := pool.Query(query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	defer rows.Close()
	found := []string{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		found = append(found, name)
	}
	return found, rows.Err()
}

func parameters(c call) (answer, error) {
	pool := c.opened(nil)
	defer pool.Close()
	var gotText string
	var gotWhole int64
	var gotReal float64
	var gotWords []string
	err := pool.QueryRow(c.queries["parameters"], clickhouse.Named("text", text), clickhouse.Named("whole", whole),
		clickhouse.Named("real", 0.1), clickhouse.Named("words", words)).Scan(&gotText, &gotWhole, &gotReal, &gotWords)
	return answer{"text": gotText, "whole": fmt.Sprint(gotWhole), "real": gotReal, "words": gotWords}, err
}

func million(c call) (answer, error) {
	pool := c.opened(nil)
	defer pool.Close()
	rows, err := pool.Query(c.queries["million"])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var count, sum, number, twice uint64
	var word string
	var quarter, quarters float64
	for rows.Next() {
		if err := rows.Scan(&number, &twice, &word, &quarter); err != nil {
			return nil, err
		}
		count, sum, quarters = count+1, sum+number, quarters+quarter
	}
	return answer{"rows": count, "sum": fmt.Sprint(sum), "quarters": quarters, "last": word}, rows.Err()
}

func types(c call) (answer, error) {
	pool := c.opened(nil)
	defer pool.Close()
	rows, err := pool.Query(c.queries["types"])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values := make([]any, len(names))
	places := make([]any, len(names))
	for i := range values {
		places[i] = &values[i]
	}
	if !rows.Next() {
		return nil, errors.Join(errors.New("no row"), rows.Err())
	}
	if err := rows.Scan(places...); err != nil {
		return nil, err
	}
	found := answer{}
	for i, name := range names {
		found[name] = values[i]
	}
	found["moment"] = found["moment"].(time.Time).Format("2006-01-02 15:04:05.000000000")
	found["second"] = found["second"].(time.Time).Format("2006-01-02 15:04:05")
	found["day"] = found["day"].(time.Time).Format("2006-01-02")
	return found, rows.Err()
}

func unknownColumn(c call) (answer, error) {
	pool := c.opened(nil)
	defer pool.Close()
	return failureOf(context.Background(), pool, c.queries["unknown_column"]), nil
}

// timeout: the server's limit, then a deadline of the client's.
func timeout(c call) (answer, error) {
	limited := c.opened(func(o *clickhouse.Options) { o.Settings["max_execution_time"] = patience })
	defer limited.Close()
	found := failureOf(context.Background(), limited, c.queries["slow"])
	pool := c.opened(nil)
	defer pool.Close()
	patient, stop := context.WithTimeout(context.Background(), patience*time.Second)
	defer stop()
	found["own"] = failureOf(patient, pool, c.queries["slow"])["message"]
	return found, after(pool, found)
}

func cancel(c call) (answer, error) {
	pool := c.opened(nil)
	defer pool.Close()
	running, stop := context.WithCancel(context.Background())
	time.AfterFunc(cancelAfter, stop)
	started := time.Now()
	found := failureOf(running, pool, c.queries["slow"])
	found["seconds"] = time.Since(started).Seconds()
	return found, after(pool, found)
}

func midstream(c call) (answer, error) {
	pool := c.opened(nil)
	defer pool.Close()
	found := failureOf(context.Background(), pool, c.queries["midstream"])
	return found, after(pool, found)
}

// after shows that the pool still works.
func after(pool *sql.DB, found answer) error {
	var one uint8
	err := pool.QueryRow("SELECT 1").Scan(&one)
	found["after"] = one
	return err
}

// failureOf is what the driver says about a query that fails.
func failureOf(ctx context.Context, pool *sql.DB, query string) answer {
	rows, err := pool.QueryContext(ctx, query)
	if err != nil {
		return failed(err, 0)
	}
	defer rows.Close()
	read := 0
	for rows.Next() {
		read++
	}
	return failed(rows.Err(), read)
}

func failed(err error, rows int) answer {
	found := answer{"code": 0, "message": fmt.Sprint(err), "rows": rows}
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		found["code"] = exception.Code
	}
	return found
}

var scenarios = map[string]func(call) (answer, error){
	"connect": connect, "stranger": stranger, "project": project, "metadata": metadata, "parameters": parameters,
	"million": million, "types": types, "unknown_column": unknownColumn, "timeout": timeout, "cancel": cancel,
	"midstream": midstream,
}

func main() {
	queries, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	c := call{host: os.Args[2] + ":" + os.Args[3], project: os.Args[4], key: os.Args[5]}
	if err := json.Unmarshal(queries, &c.queries); err != nil {
		panic(err)
	}
	for _, name := range os.Args[6:] {
		started := time.Now()
		found, err := scenarios[name](c)
		line := answer{"scenario": name, "answer": found, "seconds": math.Round(time.Since(started).Seconds()*1000) / 1000}
		if err != nil {
			line["failure"] = err.Error()
		}
		printed, err := json.Marshal(line)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(printed))
	}
}
