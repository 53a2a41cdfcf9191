// @clickhouse/client: JSON formats, streams of rows, query_params, abort_signal.
import { readFileSync } from 'node:fs'
import { ClickHouseLogLevel, createClient } from '@clickhouse/client'

const TEXT = "it's a \"quoted\" \\ back\nnew line\ttab ü 漢字 😀 %s {x} :y ?"
const WHOLE = '9007199254740993'
const WORDS = ["a'b", 'c,d', '\\', 'ü']
const PATIENCE = 1
const CANCEL_AFTER = 700

const [queriesFile, host, port, project, key, ...names] = process.argv.slice(2)
const queries = JSON.parse(readFileSync(queriesFile, 'utf-8'))
const clients = []

/** A client; closed at the end. */
function opened(options = {}) {
  const client = createClient({
    url: `http://${host}:${port}`,
    username: project,
    password: key,
    database: project,
    compression: { response: true },
    log: { level: ClickHouseLogLevel.OFF },
    ...options,
  })
  clients.push(client)
  return client
}

/** The rows of a query as objects. */
async function rows(client, query, options = {}) {
  const result = await client.query({ query, format: 'JSONEachRow', ...options })
  return result.json()
}

/** What the driver says about a query that fails. */
async function failureOf(client, query, options = {}) {
  let read = 0
  try {
    const result = await client.query({ query, format: 'JSONEachRow', ...options })
    for await (const block of result.stream()) read += block.length
  } catch (error) {
    return { code: Number(error.code) || 0, message: String(error.message).slice(0, 500), rows: read }
  }
  return { code: 0, message: '', rows: read }
}

const scenarios = {
  async connect() {
    const client = opened()
    const [row] = await rows(client, queries.connect)
    return { ...row, ping: (await client.ping()).success, query_ping: (await client.ping({ select: true })).success }
  },

  async stranger() {
    return failureOf(opened({ password: 'wrong' }), 'SELECT 1')
  },

  async project() {
    return { rows: (await rows(opened(), queries.project)).map((row) => [row.project, Number(row.spans)]) }
  },

  async metadata() {
    const client = opened()
    const names = async (query) => (await rows(client, query)).map((row) => row.name)
    const described = await rows(client, 'DESCRIBE TABLE spans')
    return {
      databases: await names('SHOW DATABASES'),
      tables: await names('SHOW TABLES'),
      columns: Object.fromEntries(described.map((row) => [row.name, row.type])),
      exists: (await rows(client, 'EXISTS TABLE spans'))[0].result === 1,
    }
  },

  async parameters() {
    const query_params = { text: TEXT, whole: WHOLE, real: 0.1, words: WORDS }
    const [row] = await rows(opened(), queries.parameters, {
      query_params,
      clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
    })
    return row
  },

  async million() {
    const result = await opened().query({ query: queries.million, format: 'JSONCompactEachRow' })
    let count = 0
    let sum = 0n
    let quarters = 0
    let last = ''
    for await (const block of result.stream()) {
      for (const row of block) {
        const [number, , word, quarter] = row.json()
        count += 1
        sum += BigInt(number)
        quarters += quarter
        last = word
      }
    }
    return { rows: count, sum: String(sum), quarters, last }
  },

  async types() {
    const [row] = await rows(opened(), queries.types, {
      clickhouse_settings: { output_format_json_quote_decimals: 1, output_format_json_quote_64bit_integers: 1 },
    })
    // with 64-bit integers quoted, as a double cannot hold them, those within other values are quoted too
    return { ...row, usage: { input: Number(row.usage.input) }, document: { a: { b: Number(row.document.a.b) }, c: row.document.c } }
  },

  async unknown_column() {
    return failureOf(opened(), queries.unknown_column)
  },

  async timeout() {
    const answer = await failureOf(opened(), queries.slow, { clickhouse_settings: { max_execution_time: PATIENCE } })
    const client = opened({ request_timeout: PATIENCE * 1000 })
    const own = await failureOf(client, queries.slow)
    const [after] = await rows(client, 'SELECT 1 AS one')
    return { ...answer, own: own.message, after: after.one }
  },

  async cancel() {
    const client = opened()
    const abort = new AbortController()
    setTimeout(() => abort.abort(), CANCEL_AFTER)
    const started = performance.now()
    const answer = await failureOf(client, queries.slow, { abort_signal: abort.signal })
    const seconds = (performance.now() - started) / 1000
    const [after] = await rows(client, 'SELECT 1 AS one')
    return { ...answer, seconds, after: after.one }
  },

  async midstream() {
    const client = opened()
    const answer = await failureOf(client, queries.midstream)
    const [after] = await rows(client, 'SELECT 1 AS one')
    return { ...answer, after: after.one }
  },
}

for (const scenario of names) {
  const started = performance.now()
  const line = { scenario }
  try {
    line.answer = await scenarios[scenario]()
  } catch (error) {
    line.failure = String(error.stack).slice(-3000)
  }
  line.seconds = Math.round(performance.now() - started) / 1000
  console.log(JSON.stringify(line))
}
await Promise.all(clients.map((client) => client.close()))
