// Does with the unmodified client what its standard input says, a JSON array a line, and prints what came of each as a line of JSON:
// ["content", "search", "words", {"pageSize": 2}] or ["item", "getById", "news/article/1"].
const { default: Client } = require("guardian-js");
const readline = require("node:readline");

async function main([base, key]) {
  const client = new Client(key);
  for (const endpoint of Object.values(client)) endpoint.base = base;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [endpoint, method, ...rest] = JSON.parse(line);
    const told = await client[endpoint][method](...rest).then(
      (response) => ({ response }),
      (error) => ({ error: error.message }),
    );
    console.log(JSON.stringify(told));
  }
}

main(process.argv.slice(2));
