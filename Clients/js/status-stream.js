// Made of source/status-stream.js by Scripts/client.
(function(root){
"use strict";
const CONNECT_LIMIT=15000;
const FIRST_SILENCE=30000;
const LEAST_SILENCE=1000;
const LONGEST_SILENCE=300000;
const LONGEST_RETRY=600000;
const TICK=1000;
const LATENESS=1000;
const AWAY=4000;
const now=()=>performance.now();
const clocks=()=>[now(),Date.now()];
const since=([time,date])=>Math.max(now()-time,Date.now()-date);
const split=(id)=>[id.slice(0,id.lastIndexOf("-")),+id.slice(id.lastIndexOf("-")+1)];
function connect(url,run,channel,options){
const settings=Object.assign({resume:true,retryBase:1000,retryMax:15000},options);
const tell=(name,a,b)=>settings[name]&&settings[name](a,b);
const target=new URL(url,(root.document||{}).baseURI);
target.protocol=target.protocol.replace("http","ws");
target.hash="";
target.pathname=target.pathname.replace(/\/?$/,"/")+
encodeURIComponent(run)+":"+encodeURIComponent(channel);
let socket=null;
let timer=0;
let due=0;
let notBefore=0;
let failures=0;
let isOpen,isLive,wasLive=false;
let askedFor;
let last="";
let offered="";
let isBehindGap=false;
let seen=0;
let heard=[0,0];
let ticked=heard,safe=heard;
let pinged=0;
let gaps=[];
let silence=FIRST_SILENCE;
let isProbed=false;
let isSuspended=false;
const listeners=[];
function become(state,detail){
stream.state=state;
tell("onState",state,detail||{});
}
function set(wait,action){
clearTimeout(timer);
due=now()+wait;
timer=setTimeout(action,wait);
}
function send(type){
if(socket&&socket.readyState===1)socket.send(JSON.stringify({type}));
}
function open(){
askedFor=settings.resume&&last;
if(settings.resume)target.searchParams.set("resume",last||1);
const made=socket=new root.WebSocket(target.href);
isOpen=isLive=isBehindGap=isProbed=false;
pinged=0;
offered="";
seen=now();
made.onopen=()=>{
isOpen=true;
seen=now();
send("init");
become("open",{url:made.url});
};
made.onmessage=(event)=>receive(event.data);
made.onerror=(error)=>tell("onError",error);
made.onclose=(event)=>lost(event||{});
set(TICK,judge);
become("connecting");
}
function abandon(code,reason){
const left=socket;
socket=null;
clearTimeout(timer);
if(!left)return;
left.onopen=left.onmessage=left.onerror=left.onclose=null;
left.close(code,reason);
}
function lost(event){
socket=null;
const asked=/^retry_ms=(\d+)$/.exec(event.reason);
notBefore=now()+(asked?Math.min(+asked[1],LONGEST_RETRY):0);
const delay=retry(Math.min(settings.retryMax,settings.retryBase*2**failures++));
become("waiting",{delay,code:event.code,reason:event.reason});
}
function retry(most){
const delay=Math.max(0,notBefore-now())+Math.random()*most;
set(delay,open);
return delay;
}
function receive(text){
let frame;
try{frame=JSON.parse(text);}catch(_){/*no frame of ours*/}
if(!frame)return;
seen=now();
isProbed=false;
if(frame.type==="ping")ping(frame);
else if(frame.type==="status"){
begin(frame);
endOutage();
if(isFresh(frame.id))tell("onMessage",frame.data,frame);
}else if(frame.type==="outage")become("outage",frame);
else if(frame.type==="gap"){
isBehindGap=true;
if(frame.reason==="resume")isFresh(offered);
tell("onGap",frame);
if(frame.reason==="redis_outage")endOutage();
}else if(frame.type==="hangup"&&!settings.returnAfterHangup)close("hangup");
if(isLive)heard=clocks();
}
function begin(frame){
if(isLive)return;
isLive=true;
failures=0;
const to_ms=Date.now(),from_ms=to_ms-Math.max(since(heard),since(safe));
ticked=safe=clocks();
if(wasLive&&!(askedFor&&frame.id))tell("onGap",{type:"gap",reason:"reconnect",from_ms,to_ms});
wasLive=true;
if(socket)become("live");
}
function endOutage(){
if(socket&&isLive&&stream.state==="outage")become("live");
}
function isFresh(id){
if(!id)return true;
const[epoch,number]=split(id),[lastEpoch,lastNumber]=split(last);
if(epoch===lastEpoch&&number<=lastNumber)return false;
last=id;
return true;
}
function ping(frame){
send("pong");
tell("onPing");
learn(seen-pinged);
pinged=seen;
if(frame.id){
offered=frame.id;
if(isBehindGap||split(frame.id)[0]!==split(last)[0])isFresh(frame.id);
endOutage();
}
begin(frame);
}
function learn(gap){
if(!pinged)gaps=[];
else if(gaps.push(gap)>5)gaps.shift();
if(gaps.length<4)return;
silence=Math.max(LEAST_SILENCE,2*gaps.slice().sort((a,b)=>b-a)[1]);
}
function judge(){
if(!socket)return;
const limit=!isOpen?CONNECT_LIMIT:isLive?silence:Math.max(silence,FIRST_SILENCE);
const time=now(),left=limit-(time-seen),isLate=time-due>LATENESS;
if(isLive&&!isLate){
safe=ticked;
ticked=clocks();
}
if(left>0&&!isProbed)return set(Math.min(left,TICK),judge);
if(isLate)return probe();
abandon(AWAY,"silence");
silence=Math.min(LONGEST_SILENCE,2*Math.max(silence,LEAST_SILENCE));
lost({code:0,reason:isOpen?"silence":"connecting took too long"});
}
function probe(){
isProbed=true;
send("init");
set(last?3000:0.75*silence,judge);
}
function listen(target,name,action){
if(!target||!target.addEventListener)return;
target.addEventListener(name,action);
listeners.push(()=>target.removeEventListener(name,action));
}
function wake(){
if(isSuspended)return;
if(!socket){
failures=0;
retry(settings.retryBase);
}else if(isOpen)probe();
}
function close(reason){
if(stream.state==="closed")return;
listeners.forEach((remove)=>remove());
abandon(1000);
become("closed",{reason});
}
const stream={
state:"",
close:()=>close("closed"),
retry:()=>stream.state==="waiting"&&!isSuspended&&set(Math.max(0,notBefore-now()),open),
get id(){return last;}
};
const page=root.document;
listen(root,"online",wake);
listen(root,"offline",()=>isOpen&&socket&&probe());
listen(page,"resume",wake);
listen(page,"visibilitychange",()=>page.visibilityState==="visible"&&wake());
listen(root,"pagehide",(event)=>{
if(!event.persisted)return;
isSuspended=true;
abandon(AWAY,"page hidden");
become("waiting",{reason:"page hidden"});
});
listen(root,"pageshow",(event)=>{
if(!event.persisted||!isSuspended)return;
isSuspended=false;
open();
});
open();
return stream;
}
const panels=new Map();
const find=(target)=>typeof target==="string"?document.querySelector(target):target||null;
const attempt=(action,...values)=>{
try{return action(...values);}catch(error){console.warn("StatusStream:",error);}
};
function fetchJobInfo(job){
const path="/rq-engine/api/jobinfo/"+encodeURIComponent(job),http=root.WCHttp;
const answer=http&&http.getJson?http.getJson(path)
:fetch(path,{credentials:"same-origin"}).then((r)=>r.ok?r.json():null);
return answer.then((info)=>
info&&(info.exc_info||info.description||JSON.stringify(info,null,2)));
}
function Panel(options){
const element=find(options.element||options.root);
if(!element)throw new Error("StatusStream requires an element or selector.");
const log=options.logElement?find(options.logElement):element.querySelector("[data-status-log]");
if(!log)throw new Error("StatusStream requires a log element with data-status-log.");
const channel=options.channel;
if(!channel)throw new Error("StatusStream requires a channel name.");
const limit=typeof options.logLimit==="number"?options.logLimit:1000;
const run=String(options.runId||root.runid||root.runId||"anonymous");
let lines=log.textContent.split("\n").filter(Boolean);
let stream=null,stack=null,pending=0,isAtEnd=true;
const text=(value)=>{
if(options.formatter)attempt(()=>{value=options.formatter(value);});
return value&&typeof value==="object"?JSON.stringify(value):String(value==null?"":value);
};
function dispatch(type,detail){
element.dispatchEvent(new CustomEvent("status:"+type,{detail}));
}
const cut=()=>lines.length>limit&&lines.splice(0,lines.length-limit);
function render(){
pending=0;
log.textContent=lines.length?lines.join("\n")+"\n":"";
if(isAtEnd)log.scrollTop=log.scrollHeight;
}
this.append=(raw,meta)=>{
const message=raw&&text(raw);
if(!message)return;
if(!pending)isAtEnd=Math.abs(log.scrollHeight-log.scrollTop-log.clientHeight)<=12;
lines.push(message);
cut();
if(!options.renderBatchMs)render();
else pending=pending||setTimeout(render,options.renderBatchMs);
const detail={message,raw,meta:meta||null};
dispatch("append",detail);
if(options.onAppend)attempt(options.onAppend,Object.assign({stream:this},detail));
};
function trigger(raw){
const tokens=raw.trim().split(/\s+/),[controller,event]=tokens.slice(-2);
if(controller!==channel&&tokens.length>1)return;
const detail={event:event||controller,controller:event&&controller||null,tokens,raw};
if(options.onTrigger)attempt(options.onTrigger,detail);
dispatch("trigger",detail);
}
function showStack(message){
const show=(value)=>{stack.body[stack.allowHtml?"innerHTML":"textContent"]=value;};
const job=message.trim().split(/\s+/)[0].replace(/^(JID|rq:)/,"");
stack.panel.hidden=false;
if("open" in stack.panel)stack.panel.open=true;
show(message);
const answer=attempt(stack.fetchJobInfo||fetchJobInfo,job);
if(answer)answer.then((value)=>value&&show(value)).catch((error)=>console.warn(error));
}
this.setStacktrace=(given)=>{
const panel=given&&find(given.element||given.panel);
const body=panel&&(given.body?find(given.body):panel.querySelector("[data-stacktrace-body]"));
stack=body&&Object.assign({},given,{panel,body});
};
this.connect=()=>{
if(stream&&stream.state!=="closed")return stream.retry();
stream=connect(
options.url||location.protocol+"//"+location.host+"/weppcloud-microservices/status/",
run,channel,{
resume:options.resume!==false,
retryBase:options.reconnectBaseMs||1500,
retryMax:options.reconnectMaxMs||15000,
onMessage:(data)=>{
this.append(data);
if(typeof data!=="string")return;
if(stack&&data.includes("EXCEPTION"))showStack(data);
if(data.includes("TRIGGER"))trigger(data);
},
onGap:(gap)=>dispatch("gap",gap),
onError:(error)=>dispatch("error",{error}),
onState:(state,detail)=>{
if(state==="open")dispatch("connected",detail);
if(state==="waiting")dispatch("disconnected",{willReconnect:true});
if(state==="closed")dispatch("disconnected",{willReconnect:false});
}
});
};
this.disconnect=()=>stream&&stream.close();
this.isConnected=()=>!!stream&&/open|live|outage/.test(stream.state);
this.clear=()=>{lines=[];render();};
if(cut())render();
this.element=element;
this.logElement=log;
this.setStacktrace(options.stacktrace);
if(options.autoConnect===undefined||options.autoConnect)this.connect();
}
const get=(target)=>{
if(target instanceof Panel)return target;
const element=find(target);
return element&&panels.get(element.id)||null;
};
root.StatusStream={
connect,
get,
attach(options){
const panel=new Panel(options||{});
if(panel.element.id)panels.set(panel.element.id,panel);
return panel;
},
append(target,message,meta){
const panel=get(target);
if(panel)panel.append(message,meta);
},
disconnect(target){
const panel=get(target);
if(panel)panel.disconnect();
}
};
if(typeof module==="object")module.exports=root.StatusStream;
})(globalThis);
