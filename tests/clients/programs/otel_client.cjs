// The JavaScript OpenTelemetry SDK with its OpenAI instrumentation: spans and logs (which carry the messages) as OTLP/JSON over HTTP.
// The same conversation as conversation.py.
"use strict";

const { metrics, trace } = require("@opentelemetry/api");
const { logs } = require("@opentelemetry/api-logs");
const { OTLPLogExporter } = require("@opentelemetry/exporter-logs-otlp-http");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-http");
const { OpenAIInstrumentation } = require("@opentelemetry/instrumentation-openai");
const { detectResources, envDetector } = require("@opentelemetry/resources");
const { BatchLogRecordProcessor, LoggerProvider } = require("@opentelemetry/sdk-logs");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

const RULES = "You are the assistant of a small shop. Be brief and kind, and never promise what you cannot keep. ".repeat(12);
const TOOLS = [
  {
    type: "function",
    function: {
      name: "lookup_order",
      description: "Status of an order.",
      parameters: { type: "object", properties: { order_id: { type: "string" } }, required: ["order_id"] },
    },
  },
];

function chat(client, content, headers) {
  const messages = [
    { role: "system", content: RULES },
    { role: "user", content },
  ];
  const body = { model: "gpt-4o-mini", messages, temperature: 0.3, max_tokens: 200 };
  return client.chat.completions.create(body, { headers });
}

async function stream(client) {
  const messages = [{ role: "user", content: "Tell me about returns." }];
  const options = { include_usage: true };
  const chunks = await client.chat.completions.create({ model: "gpt-4o", messages, stream: true, stream_options: options });
  for await (const chunk of chunks) void chunk;
}

async function useTool(client, tracer) {
  const messages = [{ role: "user", content: "Where is my order 48210?" }];
  const asked = await client.chat.completions.create({ model: "gpt-4o-mini", messages, tools: TOOLS });
  const call = asked.choices[0].message.tool_calls[0];
  const attributes = {
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": call.function.name,
    "gen_ai.tool.call.id": call.id,
    "gen_ai.tool.call.arguments": call.function.arguments,
  };
  const result = JSON.stringify({ order_id: "48210", item: "Drift kettle", status: "shipped" });
  tracer.startActiveSpan("execute_tool lookup_order", { attributes }, (span) => {
    span.setAttribute("gen_ai.tool.call.result", result);
    span.end();
  });
  messages.push({ role: "assistant", tool_calls: asked.choices[0].message.tool_calls });
  messages.push({ role: "tool", tool_call_id: call.id, content: result });
  await client.chat.completions.create({ model: "gpt-4o-mini", messages, tools: TOOLS });
}

async function fail(client) {
  const body = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Please break." }] };
  const failed = await client.chat.completions
    .create(body, { maxRetries: 0, headers: { "x-scripted-fault": "server_error" } })
    .then(() => false, () => true);
  if (!failed) throw new Error("the scripted service was to fail");
}

async function hold(client, tracer) {
  await chat(client, "Hello, who are you?");
  await chat(client, "And what can you do for me?");
  await stream(client);
  await useTool(client, tracer);
  await fail(client);
  await chat(client, "Are you still there?", { "x-scripted-fault": "rate_limit:1" });
  await client.embeddings.create({ model: "text-embedding-3-small", input: ["a desk lamp"], dimensions: 8 });
  const messages = [{ role: "user", content: "Think about it." }];
  await client.chat.completions.create({ model: "o4-mini", messages, max_completion_tokens: 900 });
}

async function main() {
  const resource = detectResources({ detectors: [envDetector] });
  const spans = new NodeTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
  const records = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter() })] });
  spans.register();
  logs.setGlobalLoggerProvider(records);
  const instrumentation = new OpenAIInstrumentation({ captureMessageContent: true });
  instrumentation.setTracerProvider(spans);
  instrumentation.setLoggerProvider(records);
  instrumentation.setMeterProvider(metrics.getMeterProvider()); // none: it fails without one

  const { OpenAI } = require("openai"); // after the instrumentation, which patches it while it is loaded
  const client = new OpenAI({ baseURL: process.env.MODEL_URL, apiKey: process.env.MODEL_KEY, maxRetries: 2 });
  const tracer = trace.getTracer("shop");
  const attributes = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": "shop-agent",
    "session.id": "session-live-1",
    "user.id": "user-live-1",
  };
  await tracer.startActiveSpan("invoke_agent shop-agent", { attributes }, async (span) => {
    await hold(client, tracer);
    span.end();
  });
  await spans.shutdown();
  await records.shutdown();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
