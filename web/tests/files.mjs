// Writes the files of a tiny model, as transformers.js loads them: `node files.mjs FOLDER`. Prints their paths.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const words = ['[PAD]', '[UNK]', 'sealed', 'tensors', 'cross', 'the', 'bus'];
export const width = 4;
/** Row i of the embedding. */
export const row = (i) => Array.from({ length: width }, (_, j) => i + j / 8);

// Protocol buffers, as much of them as ONNX needs here (onnx.proto, ModelProto).
const varint = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
const number = (field, n) => [...varint(field << 3), ...varint(n)];
const bytes = (field, content) => {
  const inside = typeof content === 'string' ? [...Buffer.from(content)] : [...content];
  return [...varint((field << 3) | 2), ...varint(inside.length), ...inside];
};
const value = (name, type, dims) =>
  [...bytes(1, name), ...bytes(2, bytes(1, [...number(1, type), ...bytes(2, dims.flatMap((d) => bytes(1, typeof d === 'string' ? bytes(2, d) : number(1, d))))]))];

/** Looks every input id up in an embedding. */
function onnx() {
  const table = Buffer.from(new Float32Array(words.flatMap((_, i) => row(i))).buffer);
  const node = [...bytes(1, 'embedding'), ...bytes(1, 'input_ids'), ...bytes(2, 'last_hidden_state'), ...bytes(4, 'Gather')];
  const weights = [...number(1, words.length), ...number(1, width), ...number(2, 1), ...bytes(8, 'embedding'), ...bytes(9, table)];
  const graph = [
    ...bytes(1, node),
    ...bytes(2, 'tiny'),
    ...bytes(5, weights),
    ...bytes(11, value('input_ids', 7, ['batch', 'sequence'])),
    ...bytes(12, value('last_hidden_state', 1, ['batch', 'sequence', width])),
  ];
  return Buffer.from([...number(1, 8), ...bytes(7, graph), ...bytes(8, [...bytes(1, ''), ...number(2, 13)])]);
}

const tokenizer = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: 'Whitespace' },
  post_processor: null,
  decoder: null,
  model: { type: 'WordLevel', vocab: Object.fromEntries(words.map((word, i) => [word, i])), unk_token: '[UNK]' },
};

if (process.argv[2]) {
  const files = {
    'config.json': JSON.stringify({ model_type: 'bert', architectures: ['BertModel'], hidden_size: width, vocab_size: words.length }),
    'tokenizer.json': JSON.stringify(tokenizer),
    'tokenizer_config.json': JSON.stringify({ tokenizer_class: 'PreTrainedTokenizerFast', unk_token: '[UNK]', pad_token: '[PAD]' }),
    'onnx/model.onnx': onnx(),
  };
  mkdirSync(join(process.argv[2], 'onnx'), { recursive: true });
  for (const [path, content] of Object.entries(files)) writeFileSync(join(process.argv[2], path), content);
  console.log(Object.keys(files).join('\n'));
}
