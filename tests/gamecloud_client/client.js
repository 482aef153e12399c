// Drives a server with the unmodified client: `node client.js HOST INDEX_PORT`. Prints one JSON object a line, each
// with the name of its step; whoever started it says what is right.
'use strict';

const path = require('path');
const { createRequire } = require('module');
const Client = createRequire(path.join(process.cwd(), 'package.json'))('gamegoldtoolkit').gameconn;

const [host, port] = [process.argv[2], Number(process.argv[3])];
const domain = 'official.IOS';

const tell = (step, value) => console.log(JSON.stringify({ step, value: value === undefined ? null : value }));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function client(mode, openid) {
  const made = new Client(mode, {
    UrlHead: 'http',
    webserver: { host, port },
    auth: { openid, openkey: 'unused', domain, pf: 'test' },
  });
  return made.setFetch(fetch);
}

async function steps(mode) {
  const openid = `player \u{1F600} ${mode}`.replace(/[^\x20-\x7e]/gu, mode === 'get' ? 'x' : '$&');
  const one = client(mode, openid);
  const heard = [];
  one.watch((info) => heard.push(info));

  const located = await one.locate(host, port).fetching({ func: 'config.getServerInfo', oemInfo: { domain, openid } });
  tell(`${mode} located`, located);
  const { ip, port: logic } = located.data;

  const set = await one.locate(ip, logic).getRequest({ id: openid, authControl: 'auth360.html' });
  tell(`${mode} issued`, set);

  const entered = await one.fetching({ func: '1000', oemInfo: { domain, auth: set } });
  tell(`${mode} entered`, entered);
  one.userInfo.id = entered.data.id;
  one.userInfo.token = entered.data.token;
  tell(`${mode} called`, await one.fetching({ func: 'index.info' }));
  tell(`${mode} room`, await one.fetching({ func: 'index.room', scene: 1002 }));
  tell(`${mode} used again`, await one.fetching({ func: '1000', oemInfo: { domain, auth: set } }));
  tell(`${mode} no evidence`, await one.fetching({ func: '1000', oemInfo: { domain, openid } }));
  tell(`${mode} called still`, await one.fetching({ func: 'index.info' }));
  tell(`${mode} pushes`, heard);
  for (let waited = 0; one.socket.io.engine.transport.name !== 'websocket' && waited < 5000; waited += 20) await pause(20);
  tell(`${mode} transport`, one.socket.io.engine.transport.name);

  tell(`${mode} login()`, await one.login());
  tell(`${mode} called after login()`, await one.fetching({ func: 'index.info' }));

  // The same player from a second connection: the first is over, and stays so.
  let left = null;
  if (mode === 'webSocket') one.socket.on('disconnect', (why) => { left = why; });
  const two = client(mode, openid);
  tell(`${mode} second`, await two.login());
  if (mode === 'webSocket') {
    for (let waited = 0; left === null && waited < 5000; waited += 20) await pause(20);
    tell(`${mode} told`, left);
  } else {
    tell(`${mode} first`, await one.fetching({ func: 'index.info' }));
    tell(`${mode} first again`, await one.fetching({ func: 'index.info' }));
  }
  // Its token over another link, however often.
  const stolen = client('post', openid).locate(ip, logic);
  stolen.userInfo.token = one.userInfo.token;
  tell(`${mode} old token`, await stolen.fetching({ func: 'index.info' }));
  tell(`${mode} second called`, await two.fetching({ func: 'index.info' }));

  const three = client(mode, openid);
  tell(`${mode} UserDefine`, await three.login({ authControl: 'UserDefine' }));
  tell(`${mode} UserDefine called`, await three.fetching({ func: 'index.info' }));
  tell(`${mode} second called after UserDefine`, await two.fetching({ func: 'index.info' }));
  [one, two, three, stolen].forEach((it) => it.close());
}

(async () => {
  for (const mode of ['get', 'post', 'webSocket']) await steps(mode);
  const tx = client('post', 'player');
  tell('tx', await tx.login({ domain: 'tx.IOS', openkey: 'key' }));
  tell('tx wrong key', await client('post', 'player').login({ domain: 'tx.IOS', openkey: 'other' }));
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
